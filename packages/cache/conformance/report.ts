/** What the suite says of one case: `true`, or why not. */
export type Outcome = true | readonly [kind: string, detail: string]

/** A group of cases, as the suite has it. */
export interface Suite {
  readonly name: string
  readonly tests: readonly {
    readonly id: string
    readonly name: string
    readonly kind?: 'required' | 'optimal' | 'check'
    readonly depends_on?: readonly string[]
    readonly browser_only?: boolean
  }[]
}

/** How many cases of each kind one cache passes. */
export interface Row {
  readonly name: string
  readonly required: number
  readonly optimal: number
  readonly ofRequired: number
  readonly ofOptimal: number
}

type Results = Readonly<Record<string, Outcome>>
type Case = Suite['tests'][number]

/** A case counts only if those that it depends on are passed, as the suite's own pages count. */
function passes(cases: ReadonlyMap<string, Case>, id: string, results: Results): boolean {
  const { depends_on = [] } = cases.get(id)!
  return results[id] === true && depends_on.every((other) => passes(cases, other, results))
}

function casesOf(suites: readonly Suite[]): Map<string, Case> {
  return new Map(
    suites
      .flatMap(({ tests }) => tests)
      .filter((one) => one.browser_only !== true)
      .map((one) => [one.id, one]),
  )
}

export function rowOf(suites: readonly Suite[], name: string, results: Results): Row {
  const cases = casesOf(suites)
  const of = (kind: string) => [...cases.values()].filter((one) => (one.kind ?? 'required') === kind)
  const passed = (kind: string) => of(kind).filter(({ id }) => passes(cases, id, results)).length
  return {
    name,
    required: passed('required'),
    optimal: passed('optimal'),
    ofRequired: of('required').length,
    ofOptimal: of('optimal').length,
  }
}

/** The page: the table, best first, and what does not pass. */
export function pageOf(
  rows: readonly Row[],
  suites: readonly Suite[],
  found: Readonly<Record<string, Results>>,
): string {
  const sorted = [...rows].sort((a, b) => b.required - a.required || b.optimal - a.optimal)
  const table = sorted.map((row) => `| ${row.name} | ${row.required} | ${row.optimal} |`)
  const cases = casesOf(suites)
  const lines: string[] = []
  for (const { id, name, kind = 'required' } of cases.values()) {
    const failed = Object.keys(found).filter((adapter) => !passes(cases, id, found[adapter]!))
    if (kind === 'check' || failed.length === 0) continue
    const [, why] = found[failed[0]!]![id] === true ? [] : ((found[failed[0]!]![id] ?? []) as string[])
    const detail = (why ?? 'depends on another').replaceAll('|', '\\|').replaceAll('\n', ' ')
    lines.push(`| ${kind} | \`${id}\` | ${name.replaceAll('|', '\\|')} | ${failed.join(', ')} | ${detail} |`)
  }
  return `# Conformance

The public suite [http-tests/cache-tests](https://github.com/http-tests/cache-tests) run against \`cache.http\`, beside the results that it
publishes of others. It is run from a checkout of it, with its own dependencies installed: \`pnpm conformance cache <path>\`, which writes this
page. Cases count as the suite counts them: only if those pass that they depend on.

| cache | required, of ${rows[0]!.ofRequired} | optimal, of ${rows[0]!.ofOptimal} |
|---|---|---|
${table.join('\n')}

Options: \`policy: 'origin'\`, \`unkeyed: 'trust'\`, \`cookies: 'ignore'\`, \`clientDirectives: 'honour'\`, \`setCookie: 'store'\`,
\`heuristicRatio: 0.1\`, \`staleIfErrorMs: 60_000\`; the rest as shipped.

Structured fields are read by \`@scale/core\`. With a checkout of
[httpwg/structured-field-tests](https://github.com/httpwg/structured-field-tests) the same command tries its vectors: all 1,591 are read as
they say.

## What does not pass

In front of a handler four of the required cases cannot pass, because the suite's server, mounted as a handler, closes the connection of
the client itself; and one whose handler writes more than its \`Content-Length\` says is not stored. The optimal ones are choices: the
order of languages of equal weight counts, because servers take the first; a request with \`Authorization\` is answered from the cache
only if a \`partition\` says who shares; parts are not stored, nor are responses to POST; and without \`Last-Modified\` a response is not
taken to be as old as a client's date.

| kind | case | what it asks for | in front of a | what was found |
|---|---|---|---|---|
${lines.sort((a, b) => b.localeCompare(a)).join('\n')}
`
}
