import { httpCatalogue, packageCatalogue, runtimeCatalogue, selfCatalogue } from '../catalogue.js'
import { type Objective, resolveObjectives } from './objective.js'
import { type AlertRule, prometheusRules } from './rules.js'

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

/**
 * Tests of the rules that `prometheusRules` makes: every alert is seen to fire, and not to fire.
 *
 * @param ruleFile    path of the rules, as the test file sees it
 * @param objectives  those that the rules were made from
 * @throws {InvalidOption}
 */
export function prometheusRuleTests(ruleFile: string, objectives?: readonly Objective[]): RuleTestFile {
  const rules = prometheusRules(objectives).groups.flatMap(({ rules }) => rules)
  const alerts = rules.filter((rule): rule is AlertRule => 'alert' in rule)
  const expected = (name: string, labels: Record<string, string>): ExpectedAlert => {
    const rule = alerts.find(({ alert, labels: own }) => alert === name && own.slo === labels.slo)!
    const description = rule.annotations.description.replace('{{ $labels.metric }}', labels.metric ?? '')
    return {
      exp_labels: { ...rule.labels, ...labels },
      exp_annotations: { ...rule.annotations, description },
    }
  }
  return {
    rule_files: [ruleFile],
    evaluation_interval: '10m',
    tests: [
      ...resolveObjectives(objectives).flatMap((objective) => burnTests(objective, expected)),
      serviceTest(expected),
    ],
  }
}

type Resolved = ReturnType<typeof resolveObjectives>[number]
type Expect = (name: string, labels: Record<string, string>) => ExpectedAlert

/** The budget is burnt at a steady rate: so each test is one multiple of it. */
function burnTests(objective: Resolved, expected: Expect): RuleTest[] {
  const { name: slo } = objective
  const page = expected('ScaleSloBurnFast', { slo })
  const ticket = expected('ScaleSloBurnSlow', { slo })
  const at = (
    eval_time: string,
    pages: ExpectedAlert[],
    tickets: ExpectedAlert[],
  ): RuleTest['alert_rule_test'] =>
    (
      [
        ['ScaleSloBurnFast', pages],
        ['ScaleSloBurnSlow', tickets],
      ] as const
    ).map(([alertname, exp]) => ({
      eval_time,
      alertname,
      exp_alerts: exp.filter(({ exp_labels }) => exp_labels.slo === slo),
    }))
  return [
    {
      name: `${slo}: within the budget, nobody is told`,
      interval: STEP,
      input_series: traffic(objective, 0.9, 2_200),
      alert_rule_test: at('3d', [], []),
    },
    {
      name: `${slo}: twice the budget is a ticket, and no page`,
      interval: STEP,
      input_series: traffic(objective, 2, 2_200),
      alert_rule_test: at('3d', [], [ticket]),
    },
    {
      name: `${slo}: seven times the budget is a page`,
      interval: STEP,
      input_series: traffic(objective, 7, 210),
      alert_rule_test: at('6h', [page], [ticket]),
    },
    {
      name: `${slo}: twenty times the budget is a page within the hour`,
      interval: STEP,
      input_series: traffic(objective, 20, 60),
      alert_rule_test: at('1h', [page], [ticket]),
    },
    {
      name: `${slo}: the page ends soon after the trouble`,
      interval: STEP,
      input_series: traffic(objective, 20, 30, 30),
      // 50 minutes later both short windows, of 5 and 30 minutes, see only good ones.
      alert_rule_test: at('1h50m', [], [ticket]),
    },
  ]
}

/** Two samples fit into the shortest window. */
const STEP = '2m'
const PER_STEP = 1_000_000

/** Requests of which `factor` budgets are bad, for some steps, and then good ones. */
function traffic(
  { target, withinSeconds }: Resolved,
  factor: number,
  steps: number,
  goodSteps = 0,
): RuleTest['input_series'] {
  const bad = Math.round(PER_STEP * (1 - target) * factor)
  const { name } = httpCatalogue.duration
  const grow = (inBad: number, inGood: number): string =>
    `0+${inBad}x${steps}${goodSteps === 0 ? '' : ` ${inBad * steps + inGood}+${inGood}x${goodSteps - 1}`}`
  if (withinSeconds !== undefined) {
    return [
      { series: `${name}_count{http_route="/a"}`, values: grow(PER_STEP, PER_STEP) },
      {
        series: `${name}_bucket{http_route="/a",le="${withinSeconds}"}`,
        values: grow(PER_STEP - bad, PER_STEP),
      },
    ]
  }
  const failed = 'http_response_status_code="500",error_type="500"'
  return [
    {
      series: `${name}_count{http_route="/a",http_response_status_code="200"}`,
      values: grow(PER_STEP - bad, PER_STEP),
    },
    { series: `${name}_count{http_route="/a",${failed}}`, values: grow(bad, 0) },
    // Were they counted, the share would be half.
    {
      series: `${name}_count{http_route="/a",error_type="client_disconnect"}`,
      values: grow(PER_STEP, PER_STEP),
    },
  ]
}

function serviceTest(expected: Expect): RuleTest {
  const { missing, overflow } = selfCatalogue
  const { redisBreakersOpen, clusterRestarts } = packageCatalogue
  const delay = `${runtimeCatalogue.loopDelay.name}_bucket`
  const alert = (eval_time: string, alertname: string, labels?: Record<string, string>) => ({
    eval_time,
    alertname,
    exp_alerts: labels === undefined ? [] : [expected(alertname, labels)],
  })
  return {
    name: 'what goes wrong in the packages',
    interval: '1m',
    input_series: [
      { series: missing.name, values: '0x10 1x30' },
      { series: redisBreakersOpen.name, values: '0x10 2x30' },
      { series: `${clusterRestarts.name}{reason="run"}`, values: '0x10 1+1x30' },
      { series: `${clusterRestarts.name}{reason="recycle"}`, values: '0+5x40' },
      { series: `${overflow.name}{metric="m"}`, values: '0x10 5+5x30' },
      { series: `${delay}{instance="i",le="0.1"}`, values: '0+100x10 1000x30' },
      { series: `${delay}{instance="i",le="0.5"}`, values: '0+100x10 1100+100x30' },
      { series: `${delay}{instance="i",le="+Inf"}`, values: '0+100x10 1100+100x30' },
    ],
    alert_rule_test: [
      ...[
        'ScaleWorkersSilent',
        'ScaleRedisBreakerOpen',
        'ScaleWorkersRestarting',
        'ScaleMetricOverflow',
        'ScaleEventLoopSlow',
      ].map((name) => alert('10m', name)),
      alert('30m', 'ScaleWorkersSilent', {}),
      alert('30m', 'ScaleRedisBreakerOpen', {}),
      alert('30m', 'ScaleWorkersRestarting', { reason: 'run' }),
      alert('30m', 'ScaleMetricOverflow', { metric: 'm' }),
      alert('30m', 'ScaleEventLoopSlow', { instance: 'i' }),
    ],
  }
}
