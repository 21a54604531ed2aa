import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type GateOptions, parseSlo, sloGate } from './gate.js'

const usage = `scale-slo gate --prometheus <url> [--slo <file>] [--service job=users]… [--min-remaining 0.1]

Ends with 0 if at least that share of every error budget is left, with 1 if not, with 2 if it cannot be told.
--slo names a JSON file with the object that the rules were made from. PROMETHEUS_TOKEN is sent as a bearer token.
`

/** Where a program says things, and what it is told. */
export interface Terminal {
  env: Readonly<Record<string, string | undefined>>
  out(text: string): void
  error(text: string): void
}

/** The program `scale-slo`. @returns the exit code */
export async function scaleSlo(args: readonly string[], { env, out, error }: Terminal): Promise<number> {
  try {
    const options = gateOptions(args, env)
    if (options === undefined) {
      out(usage)
      return 0
    }
    const budgets = await sloGate(options)
    for (const { objective, service, remaining, isEnough } of budgets) {
      const whose = Object.entries(service).map(([name, value]) => ` ${name}=${value}`)
      const left = `${(remaining * 100).toFixed(1)} % of its error budget left`
      out(`${isEnough ? 'ok    ' : 'refuse'} ${objective}${whose.join('')}: ${left}\n`)
    }
    return budgets.every(({ isEnough }) => isEnough) ? 0 : 1
  } catch (problem) {
    // What is no sentence of ours has one of Node's: a wrong flag, a file that is not there.
    error(`scale-slo: ${(problem as Error).message}\n`)
    return 2
  }
}

function gateOptions(args: readonly string[], env: Terminal['env']): GateOptions | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      prometheus: { type: 'string' },
      slo: { type: 'string' },
      service: { type: 'string', multiple: true },
      'min-remaining': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  if (positionals.join(' ') !== 'gate') throw new Error('the command is `gate`; see --help')
  if (values.prometheus === undefined)
    throw new Error('`--prometheus` is missing: the address of a Prometheus')
  const slo = values.slo === undefined ? {} : parseSlo(readFileSync(values.slo, 'utf8'))
  const service = values.service && Object.fromEntries(values.service.map((one) => one.split(/=(.*)/s, 2)))
  return {
    url: values.prometheus,
    slo: { ...slo, ...(service && { service }) },
    ...(values['min-remaining'] !== undefined && { minRemaining: Number(values['min-remaining']) }),
    ...(env.PROMETHEUS_TOKEN && { token: env.PROMETHEUS_TOKEN }),
  }
}
