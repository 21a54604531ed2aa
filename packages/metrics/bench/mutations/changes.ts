import type { Change } from '@scale/devkit/mutations'

const merge = (name: string, from: string, to: string): Change => ({
  name: `merge: ${name}`,
  file: 'fleet/merge.ts',
  from,
  to,
  tests: ['fleet/merge'],
})
const fleet = (name: string, file: string, from: string, to: string): Change => ({
  name: `fleet: ${name}`,
  file: `fleet/${file}.ts`,
  from,
  to,
  tests: ['fleet/cluster', 'exposition/handler'],
})
const series = (name: string, file: string, from: string, to: string): Change => ({
  name: `series: ${name}`,
  file: `series/${file}.ts`,
  from,
  to,
  tests: ['exposition/handler', 'http/middleware', 'fleet/merge', 'series/family'],
})
const http = (name: string, file: string, from: string, to: string): Change => ({
  name: `http: ${name}`,
  file: `http/${file}.ts`,
  from,
  to,
  tests: ['http/middleware', 'http/legacy', 'exposition/handler', 'series/family'],
})
const selector = (name: string, from: string, to: string): Change => ({
  name: `selector: ${name}`,
  file: 'slo-kit/selector.ts',
  from,
  to,
  tests: ['slo-kit/selector'],
})
const rules = (name: string, file: string, from: string, to: string): Change => ({
  name: `rules: ${name}`,
  file: `slo-kit/${file}.ts`,
  from,
  to,
  tests: ['slo-kit/rules', 'slo-kit/gate'],
})

/** Faults by hand, each of which the tests that are named have to notice. */
export const changes: readonly Change[] = [
  merge('a series that was shown is folded later', 'if (keys.has(key)) return true', ''),
  merge('no cap for all together', 'if (keys.size >= this.maxSeries) return false', ''),
  merge('gauges outlive their process', "if (which === 'lasting' && family.type === 'gauge') continue", ''),
  merge('what differs in type is mixed', 'if (target.type !== family.type) continue', ''),
  merge('the largest is the last', 'extreme(Math.max, into[0]!, values[0]!)', 'values[0]!'),
  merge('NaN is the smallest', 'if (Number.isNaN(one)) return other', ''),
  merge('rounding is forgotten', 'values.at(-1)! + lost', 'values.at(-1)!'),
  merge('buckets of the first release stay', 'if (bounds !== target.bounds) narrow(target, bounds)', ''),
  merge('the oldest exemplar stays', 'at(other[bucket]) > at(exemplar)', 'at(other[bucket]) < at(exemplar)'),
  merge('exemplars of buckets that are gone stay', 'values.length === raw.length ? told : undefined', 'told'),
  fleet('what is no number is lost on the way', 'messages', 'withValues(family, toWire)', 'family'),
  fleet(
    'a primary that set nothing has the smallest',
    'primary',
    '!(isUnset(family) && total.has(family.name))',
    'true',
  ),
  fleet(
    'a worker that ended is forgotten',
    'primary',
    "this.retired.add(source.families, String(source.slot), 'lasting')",
    '',
  ),
  fleet('a silent worker is waited for each time', 'primary', '!isAsked || isSilent', '!isAsked'),
  fleet('a silent worker is not counted', 'primary', 'if (source.isSilent) missing++', ''),
  fleet('a scrape waits for ever', 'primary', 'setTimeout(done, deadlineMs)', 'setTimeout(done, 60_000)'),
  fleet(
    'two registers of one name in a worker',
    'reporter',
    'if (names.has(name)) throw MetricConflict.ofFleets(name)',
    '',
  ),
  fleet(
    'two registers of one name in a primary',
    'primary',
    'if (isAmbiguous && this.sources.size > 0)',
    'if (false)',
  ),
  fleet(
    'nothing is pushed at the end',
    'reporter',
    "process.on('exit', () => this.send(this.reading.now(), () => {}))",
    '',
  ),
  fleet(
    'a name is taken over from an app',
    'fleet',
    '!isFamily(known) || !isSame(known.definition, definition)',
    'false',
  ),
  fleet(
    'options of the second are ignored',
    'fleet',
    "if (!isOther('name') && !isOther('maxSeries') && !isOther('pushIntervalMs')) return",
    'return',
  ),
  series('a bad metric costs the answer', 'reading', '} catch {', '} catch (error) {\n      throw error'),
  series('one that hangs is asked each time', 'reading', '&& !this.asked.has(metric)', ''),
  series('default labels are lost', 'reading', '{ ...defaults, ...one.labels }', 'one.labels'),
  series(
    'names wear out in OpenMetrics',
    'foreign',
    "isOpenMetrics && !metric.name.endsWith('_total')",
    'false',
  ),
  series('averages are added up', 'foreign', "case 'average':", "case 'mean':"),
  series('buckets stay cumulative', 'foreign', 'values[bucket]! -= values[bucket - 1]!', ''),
  series('a reset forgets nothing', 'family', 'cell.values.fill(0)', ''),
  series('no cap in a process', 'family', 'if (this.cells.size >= this.maxSeries) {', 'if (false) {'),
  series(
    'JSON has no shared labels',
    'family',
    'labels: { ...labels, ...sharedLabels },',
    'labels: { ...labels },',
  ),
  series('a value on a bound is above it', 'family', 'value > bounds[bucket]!', 'value >= bounds[bucket]!'),
  series('an exemplar has another bucket', 'written', 'exemplars?.[bucket] &&', 'exemplars?.[bucket + 1] &&'),
  http('traces that nobody records are shown', 'otel', 'if (context?.sampled)', 'if (context)'),
  http('what is over is still under way', 'otel', 'underWay.add(-1)', ''),
  http('legacy: the name of a parameter', 'legacy', "'#val'", "'#value'"),
  http('legacy: a client that left has a status', 'legacy', "ending.side === 'client' ? '499' : ", ''),
  selector('conditions that cannot be met', 'exampleOf(matchers)\n  return matchers', 'return matchers'),
  selector('how requests end', 'if (endings.has(label))', 'if (false)'),
  selector('a label with a typo', 'if (!isOurs && /^(?:http|url)_/.test(label))', 'if (false)'),
  selector('a counterexample that counts', '(one) => !isMet(matcher, one)', '(one) => isMet(matcher, one)'),
  rules(
    'services share a budget',
    'rules',
    `sum by (\${by.join(', ')}) (rate(\${duration}_\${suffix}\${braces(service, selector, ...more)}`,
    `sum(rate(\${duration}_\${suffix}\${braces(service, selector, ...more)}`,
  ),
  rules(
    'the selector is left out',
    'rules',
    'braces(service, selector, ...more)',
    'braces(service, ...more)',
  ),
  rules(
    'clients that left are counted',
    'rules',
    `const left = 'error_type!="client_disconnect"'`,
    `const left = 'error_type!="x"'`,
  ),
  rules('a low target never pages', 'burn', ', 0.95)', ', 9)'),
  rules('the gate lets all pass', 'gate', 'remaining >= given.minRemaining', 'true'),
  rules('nothing known is a yes', 'gate', 'if (vector.length === 0)', 'if (false)'),
]
