import { httpCatalogue, packageCatalogue, runtimeCatalogue, selfCatalogue } from '../catalogue.js'
import { burns, threshold } from './burn.js'
import { type ResolvedObjective, resolveSlo, type Slo, type SloOptions, selectorOf } from './objective.js'
import { type AlertRule, prometheusRules } from './rules.js'
import { counterExampleOf, exampleOf } from './selector.js'

/** A test file of `promtool test rules`. */
export interface RuleTestFile {
  rule_files: string[]
  evaluation_interval: string
  tests: RuleTest[]
}

interface RuleTest {
  name: string
  interval: string
  input_series: { series: string; values: string }[]
  alert_rule_test: { eval_time: string; alertname: string; exp_alerts: ExpectedAlert[] }[]
}

interface ExpectedAlert {
  exp_labels: Record<string, string>
  exp_annotations: Record<string, string>
}

type Labels = Readonly<Record<string, string>>

/**
 * Tests of the rules that `prometheusRules` makes: every alert is seen to fire, and not to fire, by requests that each selector
 * takes, beside others that it does not take and beside another service that is busy and well.
 *
 * @param ruleFile  path of the rules, as the test file sees it
 * @param options   those that the rules were made from
 * @throws {InvalidOption}
 */
export function prometheusRuleTests(ruleFile: string, options?: SloOptions): RuleTestFile {
  const slo = resolveSlo(options)
  const rules = prometheusRules(options).groups.flatMap(({ rules }) => rules)
  const alerts = rules.filter((rule): rule is AlertRule => 'alert' in rule)
  const expected: Expect = (name, labels) => {
    const rule = alerts.find(({ alert, labels: own }) => alert === name && own.slo === labels.slo)!
    const description = rule.annotations.description.replaceAll(
      /\{\{ \$labels\.(\w+) \}\}/g,
      (_, name: string) => labels[name] ?? '',
    )
    return {
      exp_labels: { ...rule.labels, ...labels },
      exp_annotations: { ...rule.annotations, description },
    }
  }
  return {
    rule_files: [ruleFile],
    evaluation_interval: '30m',
    tests: [
      ...slo.objectives.flatMap((objective) => burnTests(objective, slo, expected)),
      serviceTest(slo, expected),
    ],
  }
}

type Expect = (name: string, labels: Labels) => ExpectedAlert

/** The budget is burnt at a steady rate: so each test is one share of bad requests, between two thresholds. */
function burnTests(objective: ResolvedObjective, slo: Slo, expected: Expect): RuleTest[] {
  const { name } = objective
  const labels = countedLabels(objective, slo)
  const own = { slo: name, ...Object.fromEntries(slo.by.map((label) => [label, labels[label]!])) }
  const page = expected('ScaleSloBurnFast', own)
  const ticket = expected('ScaleSloBurnSlow', own)
  const test = (
    what: string,
    share: number,
    at: string,
    told: ExpectedAlert[],
    steps: number,
    good = 0,
  ): RuleTest => ({
    name: `${name}: ${what}`,
    interval: STEP,
    input_series: traffic(objective, slo, labels, share, steps, good),
    alert_rule_test: [page, ticket].map((one) => ({
      eval_time: at,
      alertname: one === page ? 'ScaleSloBurnFast' : 'ScaleSloBurnSlow',
      exp_alerts: told.filter((each) => each === one),
    })),
  })
  const [fast, slow, sooner, later] = burns.map((burn) => threshold(burn, objective, slo)) as [
    number,
    number,
    number,
    number,
  ]
  const tests = [
    test('within the budget, nobody is told', later * 0.9, '3d', [], 2_200),
    test('every request fails: a page', 1, '6h', [page, ticket], 210),
    test('the page ends soon after the trouble', 1, '3h30m', [ticket], 80, 30),
  ]
  // Of a low target they may be one and the same.
  if (sooner < slow) {
    tests.push(test('a slow burn is a ticket, and no page', (sooner + slow) / 2, '3d', [ticket], 2_200))
  }
  if (slow < fast)
    tests.push(test('a burn over hours is a page', (slow + fast) / 2, '6h', [page, ticket], 210))
  tests.push(test('a fast burn is a page within the hour', Math.min(fast * 1.2, 1), '1h', [page, ticket], 60))
  return tests
}

/** Two samples fit into the shortest window. */
const STEP = '2m'
const PER_STEP = 1_000_000

function countedLabels({ matchers }: ResolvedObjective, { labels }: Slo): Labels {
  return { http_request_method: 'GET', http_route: '/a', ...exampleOf(matchers), ...labels }
}

/** Requests of which a share is bad, for some steps, and then good ones; beside those that must not count. */
function traffic(
  objective: ResolvedObjective,
  slo: Slo,
  labels: Labels,
  share: number,
  steps: number,
  goodSteps: number,
): RuleTest['input_series'] {
  const grow = (inBad: number, inGood: number): string =>
    `0+${inBad}x${steps}${goodSteps === 0 ? '' : ` ${inBad * steps + inGood}+${inGood}x${goodSteps - 1}`}`
  const bad = Math.round(PER_STEP * share)
  const uncounted = counterExampleOf(objective.matchers)
  const others: Labels[] = [{ ...labels, [slo.by[0]!]: 'another' }]
  return [
    ...requests(objective, labels, grow(PER_STEP - bad, PER_STEP), grow(bad, 0)),
    // Were they counted, the share would be much smaller, or much larger.
    ...others.flatMap((other) =>
      requests(objective, other, grow(PER_STEP * 100, PER_STEP * 100), grow(0, 0)),
    ),
    ...(uncounted === undefined
      ? []
      : requests(
          objective,
          { ...labels, ...uncounted },
          ...(share > 0.5 ? both(grow, 100, 0) : both(grow, 0, 100)),
        )),
  ]
}

function both(grow: (bad: number, good: number) => string, good: number, bad: number): [string, string] {
  return [grow(PER_STEP * good, PER_STEP * good), grow(PER_STEP * bad, PER_STEP * bad)]
}

/** Series of good and of bad requests, and of clients that left, which count as neither. */
function requests(
  { withinSeconds }: ResolvedObjective,
  labels: Labels,
  good: string,
  bad: string,
): RuleTest['input_series'] {
  const series = (suffix: string, more: Labels, values: string): RuleTest['input_series'][number] => ({
    series: `${httpCatalogue.duration.name}_${suffix}{${selectorOf({ ...labels, ...more })}}`,
    values,
  })
  const left = series('count', { error_type: 'client_disconnect' }, good)
  if (withinSeconds === undefined) {
    return [
      series('count', { http_response_status_code: '200' }, good),
      series('count', { http_response_status_code: '500', error_type: '500' }, bad),
      left,
    ]
  }
  const le = { le: String(withinSeconds) }
  const [fast, slow] = [{ http_response_status_code: '200' }, { http_response_status_code: '202' }]
  return [
    series('count', fast, good),
    series('bucket', { ...fast, ...le }, good),
    series('count', slow, bad),
    series('bucket', { ...slow, ...le }, '0x4000'),
    left,
  ]
}

function serviceTest({ labels }: Slo, expected: Expect): RuleTest {
  const { missing, overflow } = selfCatalogue
  const { redisBreakersOpen, redisOperation, rateLimitStoreErrors, cacheStoreErrors, clusterRestarts } =
    packageCatalogue
  const own = selectorOf(labels)
  const delay = `${runtimeCatalogue.loopDelay.name}_bucket{${own},instance="i"`
  const alert = (eval_time: string, alertname: string, more?: Labels) => ({
    eval_time,
    alertname,
    exp_alerts: more === undefined ? [] : [expected(alertname, { ...labels, ...more })],
  })
  return {
    name: 'what goes wrong in the packages',
    interval: '1m',
    input_series: [
      { series: `${missing.name}{${own}}`, values: '0x45 1x100' },
      { series: `${redisBreakersOpen.name}{${own}}`, values: '0x45 2x100' },
      {
        series: `${redisOperation.name}_count{${own},operation="o",outcome="denied"}`,
        values: '0x45 5+5x100',
      },
      { series: `${redisOperation.name}_count{${own},operation="o",outcome="ok"}`, values: '0+5x145' },
      {
        series: `${rateLimitStoreErrors.name}{${own},limiter="l",operation="consume"}`,
        values: '0x45 5+5x100',
      },
      { series: `${rateLimitStoreErrors.name}{${own},limiter="l",operation="lookup"}`, values: '0+5x145' },
      { series: `${cacheStoreErrors.name}{${own},cache="c",operation="load"}`, values: '0x45 5+5x100' },
      { series: `${clusterRestarts.name}{${own},reason="run"}`, values: '0x45 1+1x100' },
      { series: `${clusterRestarts.name}{${own},reason="recycle"}`, values: '0+5x145' },
      { series: `${overflow.name}{${own},metric="m"}`, values: '0x45 5+5x100' },
      { series: `${delay},le="0.1"}`, values: '0+100x45 4500x100' },
      { series: `${delay},le="0.5"}`, values: '0+100x45 4600+100x100' },
      { series: `${delay},le="+Inf"}`, values: '0+100x45 4600+100x100' },
    ],
    alert_rule_test: [
      ...[
        'ScaleWorkersSilent',
        'ScaleRedisBreakerOpen',
        'ScaleRedisRefusing',
        'ScaleQuotaNotShared',
        'ScaleCacheOff',
        'ScaleWorkersRestarting',
        'ScaleMetricOverflow',
        'ScaleEventLoopSlow',
      ].map((name) => alert('30m', name)),
      alert('1h30m', 'ScaleWorkersSilent', {}),
      alert('1h30m', 'ScaleRedisBreakerOpen', {}),
      alert('1h30m', 'ScaleRedisRefusing', { operation: 'o' }),
      alert('1h30m', 'ScaleQuotaNotShared', { limiter: 'l' }),
      alert('1h30m', 'ScaleCacheOff', { cache: 'c' }),
      alert('1h30m', 'ScaleWorkersRestarting', { reason: 'run' }),
      alert('1h30m', 'ScaleMetricOverflow', { metric: 'm' }),
      alert('1h30m', 'ScaleEventLoopSlow', { instance: 'i' }),
    ],
  }
}
