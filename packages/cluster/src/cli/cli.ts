import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ScaleError } from '@scale/core'
import { callControl } from '../admin/control.js'
import type { ClusterOptions } from '../options.js'
import { exitCodes } from '../process/exit-codes.js'
import { runUnchanged } from '../run-cluster.js'
import { startUnchangedApp } from './unchanged-app.js'

const help = `scale-cluster [options] <file> [arguments of the app]
  runs an app that listens by itself, unchanged, in as many workers as the machine leaves it

  --workers <n|auto>          default auto: WEB_CONCURRENCY, else the CPUs of the control group
  --sticky                    connections of one address go to one worker
  --admin-port <port>         serve /livez, /readyz, /startupz; default none
  --admin-host <host>         default 127.0.0.1
  --boot-timeout-ms <ms>      default 60000
  --canary-ms <ms>            default 5000
  --drain-delay-ms <ms>       default 5000 with NODE_ENV=production and no terminal, else 0
  --drain-timeout-ms <ms>     default 25000
  --max-age-ms <ms>           replace workers by age; default never
  --max-requests <n>          by requests
  --max-rss-bytes <n>         by memory
  --control <path>            socket for the commands below; default one for each file

scale-cluster reload <file>       replaces all workers; status 1 if the old ones were kept
scale-cluster status <file>       the workers, as JSON
scale-cluster scale <n> <file>    changes the number of workers
scale-cluster stop <file>         drains and ends
`

const numeric = { type: 'string' } as const
const flags = {
  workers: { type: 'string' },
  sticky: { type: 'boolean' },
  'admin-port': numeric,
  'admin-host': { type: 'string' },
  'boot-timeout-ms': numeric,
  'canary-ms': numeric,
  'drain-delay-ms': numeric,
  'drain-timeout-ms': numeric,
  'max-age-ms': numeric,
  'max-requests': numeric,
  'max-rss-bytes': numeric,
  control: { type: 'string' },
  help: { type: 'boolean' },
} as const

type Flags = { [Name in keyof typeof flags]?: string | boolean | undefined }

/** The command. It runs in the primary and, with the same arguments, in each worker. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await dispatch(argv)
  } catch (error) {
    // What the user typed is wrong, or was refused: one line says it all.
    const { code, message } = error as NodeJS.ErrnoException
    if (!(error instanceof ScaleError) && !code?.startsWith('ERR_PARSE_ARGS')) throw error
    process.stderr.write(`scale-cluster: ${message}\n`)
    process.exitCode = exitCodes.forced
  }
}

async function dispatch(argv: readonly string[]): Promise<void> {
  const [own, rest] = splitAtFile(argv)
  const { values } = parseArgs({ args: own, options: flags })
  const [first, ...others] = rest
  if (values.help || first === undefined) {
    process.stdout.write(help)
    if (!values.help) process.exitCode = exitCodes.forced
    return
  }
  if (first === 'reload' || first === 'status' || first === 'stop' || first === 'scale') {
    await command(first, others, values.control)
    return
  }
  const file = resolve(first)
  await runUnchanged({
    ...optionsOf(values),
    control: values.control ?? controlPath(file),
    start: () => startUnchangedApp(file, others),
  })
}

async function command(name: string, others: string[], control: string | undefined): Promise<void> {
  const argument = name === 'scale' ? Number(others.shift()) : undefined
  const path = control ?? controlPath(resolve(others[0] ?? ''))
  const result = await callControl(path, name, argument)
  if (result !== undefined) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
}

/** What follows the file belongs to the app. */
function splitAtFile(argv: readonly string[]): [own: string[], rest: string[]] {
  let index = 0
  while (argv[index]?.startsWith('-')) {
    const name = argv[index]!.slice(2)
    const takesValue = name in flags && flags[name as keyof typeof flags].type === 'string'
    index += takesValue ? 2 : 1
  }
  return [argv.slice(0, index), argv.slice(index)]
}

function optionsOf(values: Flags): Omit<ClusterOptions, 'start'> {
  const of = (name: keyof Flags): number | undefined =>
    values[name] === undefined ? undefined : Number(values[name])
  const adminPort = of('admin-port')
  const adminHost = values['admin-host']
  return given({
    workers: values.workers === 'auto' ? ('auto' as const) : of('workers'),
    sticky: values.sticky === true ? true : undefined,
    admin:
      adminPort === undefined
        ? undefined
        : given({ port: adminPort, host: adminHost === undefined ? undefined : String(adminHost) }),
    bootTimeoutMs: of('boot-timeout-ms'),
    reload: given({ canaryMs: of('canary-ms') }),
    drain: given({ delayMs: of('drain-delay-ms'), timeoutMs: of('drain-timeout-ms') }),
    recycle: given({
      maxAgeMs: of('max-age-ms'),
      maxRequests: of('max-requests'),
      maxRssBytes: of('max-rss-bytes'),
    }),
  })
}

type Given<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> }

/** Without what was not said. */
function given<Values extends object>(values: Values): Given<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Given<Values>
}

/** The same for whoever starts the file and whoever commands it, on one machine, as one user. */
function controlPath(file: string): string {
  const name = `scale-cluster-${createHash('sha256').update(file).digest('hex').slice(0, 16)}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  return join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), `${name}-${process.getuid?.()}.sock`)
}
