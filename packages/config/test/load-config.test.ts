import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { InvalidConfig, loadConfig, toMs } from '../src/index.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scale-config-'))
})
afterEach(() => rmSync(folder, { recursive: true }))
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const faultsOf = (load: () => unknown): Record<string, string> => {
  try {
    load()
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    expect(error).toMatchObject({ exitCode: 78, code: 'ERR_SCALE_INVALID_CONFIG' })
    for (const { name, message } of error.faults) expect(error.message).toContain(`\n  ${name}: ${message}`)
    return Object.fromEntries(error.faults.map(({ name, message }) => [name, message]))
  }
  return {}
}

/** The same service, by each library. */
const schemas = {
  zod: z.object({
    PORT: z.coerce.number().int().max(65_535).default(3_000),
    DATABASE_URL: z.string().regex(/^postgres:/),
    IDLE: z.string().default('5m').transform(toMs).pipe(z.number()),
    MODE: z.enum(['fast', 'safe']).default('safe'),
    API_TOKEN: z.string().min(8).optional(),
  }),
  valibot: v.object({
    PORT: v.optional(v.pipe(v.string(), v.transform(Number), v.integer(), v.maxValue(65_535)), '3000'),
    DATABASE_URL: v.pipe(v.string(), v.regex(/^postgres:/)),
    IDLE: v.pipe(v.optional(v.string(), '5m'), v.transform(toMs), v.number()),
    MODE: v.optional(v.picklist(['fast', 'safe']), 'safe'),
    API_TOKEN: v.optional(v.pipe(v.string(), v.minLength(8))),
  }),
  arktype: type({
    PORT: type('string.integer.parse').to('number <= 65535').default('3000'),
    DATABASE_URL: /^postgres:/,
    IDLE: type('string').pipe(toMs).to('number').default('5m'),
    MODE: "'fast' | 'safe' = 'safe'",
    'API_TOKEN?': 'string >= 8',
  }),
}

describe.each(Object.entries(schemas))('a schema of %s', (_library, schema) => {
  const load = (env: Record<string, string>) =>
    loadConfig(schema, { env, envFile: false, secrets: ['API_TOKEN'] })

  it('gives values of its own types', () => {
    const { values } = load({
      DATABASE_URL: 'postgres://db',
      IDLE: '90s',
      PORT: '8080',
      MODE: '',
      HOME: '/root',
    })
    const port: number = values.PORT
    expect({ ...values, PORT: port }).toMatchObject({
      PORT: 8080,
      DATABASE_URL: 'postgres://db',
      IDLE: 90_000,
      MODE: 'safe',
    })
    expect(Object.isFrozen(values)).toBe(true)
    expect(load({ DATABASE_URL: 'postgres://db' }).values.PORT).toBe(3_000)
  })

  it('has all its faults told at once, and no value that may be secret', () => {
    const faults = faultsOf(() =>
      load({
        PORT: '70000',
        IDLE: 'soon',
        MODE: 'odd',
        API_TOKEN: 'hunter2',
        DATABASE_URL: 'mysql://me:hunter2@db',
      }),
    )
    expect(Object.keys(faults).sort()).toEqual(['API_TOKEN', 'DATABASE_URL', 'IDLE', 'MODE', 'PORT'])
    expect(JSON.stringify(faults)).not.toContain('hunter2')
    expect([faults.API_TOKEN, faults.DATABASE_URL]).toEqual(['cannot be used', 'cannot be used'])
    expect(faults.PORT).toMatch(/65.?535/)
  })

  it('says of one that is not there that it is missing', () => {
    expect(faultsOf(() => load({}))).toEqual({ DATABASE_URL: 'is missing' })
  })
})

describe('variables', () => {
  const Names = z.object({ A: z.string().optional(), B: z.string().optional(), C: z.string().optional() })

  it('come from the environment before a file, and an empty one from nowhere', () => {
    const envFile = file('.env', 'A=file\nB="two\nlines"\n__proto__=x\nC=file')
    const { values } = loadConfig(Names, { env: { A: 'environment', C: '' }, envFile })
    expect(values).toEqual({ A: 'environment', B: 'two\nlines', C: 'file' })
  })

  it.each(['production', 'test'])('come from no file in %s', (NODE_ENV) => {
    const envFile = file('.env', 'A=file')
    expect(loadConfig(Names, { env: { NODE_ENV }, envFile }).values).toEqual({})
  })

  it('of a file that is not there are none, and of one that cannot be read a failure', () => {
    expect(loadConfig(Names, { env: {}, envFile: join(folder, 'none') }).values).toEqual({})
    expect(() => loadConfig(Names, { env: {}, envFile: folder })).toThrow(/EISDIR/)
  })

  it('of a file do not say that it is production', () => {
    const envFile = file('.env', 'NODE_ENV=production')
    expect(Object.keys(faultsOf(() => loadConfig(Names, { env: {}, envFile })))).toEqual(['NODE_ENV'])
    expect(loadConfig(Names, { env: {}, envFile: file('.env', 'NODE_ENV=development') }).values).toEqual({})
  })

  it('of any text in any quotes arrive as they were written', () => {
    // What the file format can carry: it knows no escapes but \n, and a value ends with its quote.
    const text = fc.string({
      unit: fc.constantFrom(...'aZ09 _=#$%&*{}[]()<>.,;:!?/|~^+-@', "'", '\t', 'ä', '漢', '🦜'),
    })
    fc.assert(
      fc.property(text, fc.constantFrom('"', '`'), (value, quote) => {
        const envFile = file('.env', `C=before\nA=${quote}${value}${quote}\nB=after # a remark\n`)
        const expected = { B: 'after', C: 'before', ...(value !== '' && { A: value }) }
        expect(loadConfig(Names, { env: {}, envFile }).values).toEqual(expected)
      }),
    )
  })

  it('of any bytes are variables, and never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(
          loadConfig(z.record(z.string(), z.string()), { env: {}, envFile: file('.env', bytes) }).values,
        ).toBeTypeOf('object')
      }),
    )
  })

  it('with names of Object.prototype are names like any other', () => {
    const env = JSON.parse('{"__proto__": "x", "constructor": "y", "toString": "z"}') as Record<
      string,
      string
    >
    const { values } = loadConfig(z.object({ constructor: z.string(), valueOf: z.string().optional() }), {
      env,
      envFile: false,
    })
    expect(values.constructor).toBe('y')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('secrets', () => {
  const Secret = z.object({ PASSWORD: z.string(), OTHER_FILE: z.string().optional() })
  const load = (env: Record<string, string>) =>
    loadConfig(Secret, { env, envFile: false, secrets: ['PASSWORD'] })

  it('come from a file, without the end of its last line', () => {
    for (const [content, value] of [
      ['hunter2', 'hunter2'],
      ['hunter2\n', 'hunter2'],
      ['hunter2\r\n', 'hunter2'],
      [' two\nlines\n\n', ' two\nlines\n'],
    ] as const) {
      expect(load({ PASSWORD_FILE: file('secret', content) }).values.PASSWORD).toBe(value)
    }
  })

  it('are the only ones that are read from files', () => {
    expect(load({ PASSWORD: 'x', OTHER_FILE: '/nowhere' }).values.OTHER_FILE).toBe('/nowhere')
  })

  it('that cannot be read are told by the variable that names the file, without the path', () => {
    mkdirSync(join(folder, 'sub'))
    const faults = (path: string) => faultsOf(() => load({ PASSWORD_FILE: path }))
    expect(faults(join(folder, 'none'))).toEqual({
      PASSWORD_FILE: 'names a file that cannot be read (ENOENT)',
    })
    expect(faults(join(folder, 'sub'))).toEqual({
      PASSWORD_FILE: 'names a file that cannot be read (EISDIR)',
    })
    expect(faults(file('empty', '\n'))).toEqual({ PASSWORD_FILE: 'names a file that is empty' })
    expect(faults(file('big', 'x'.repeat(1_048_577)))).toEqual({
      PASSWORD_FILE: 'names a file of more than 1,048,576 bytes',
    })
    expect(faults(file('binary', Buffer.from([0xff, 0xfe])))).toEqual({
      PASSWORD_FILE: 'names a file that is no text in UTF-8',
    })
  })

  it('that the schema does not take are told by the file that they are in', () => {
    const Long = z.object({ PASSWORD: z.string().min(8), PORT: z.coerce.number() })
    const [PASSWORD_FILE, envFile] = [file('secret', 'hunter2'), file('.env', 'PORT=http')]
    const faults = faultsOf(() =>
      loadConfig(Long, { env: { PASSWORD_FILE }, envFile, secrets: ['PASSWORD'] }),
    )
    expect(faults).toEqual({
      PASSWORD: `cannot be used (from ${PASSWORD_FILE})`,
      PORT: expect.stringMatching(/number.* \(from .*\.env\)$/),
    })
  })

  it('given twice are a fault', () => {
    const faults = faultsOf(() => load({ PASSWORD: 'x', PASSWORD_FILE: file('secret', 'x') }))
    expect(faults.PASSWORD).toContain('PASSWORD_FILE as well')
  })
})

describe('production', () => {
  const Urls = z.object({
    NODE_ENV: z.string().optional(),
    REDIS_URL: z.string().default('redis://localhost'),
    TOKEN: z.string().optional(),
  })
  const load = (env: Record<string, string>) =>
    loadConfig(Urls, {
      env,
      envFile: false,
      secrets: ['TOKEN'],
      requiredInProduction: ['REDIS_URL', 'TOKEN'],
      check: ({ REDIS_URL }) =>
        REDIS_URL === 'none' ? [{ name: 'REDIS_URL', message: 'is needed here' }] : [],
    })

  it('wants what is required to be set, defaults or not', () => {
    expect(load({}).values.REDIS_URL).toBe('redis://localhost')
    const message = 'is missing; in production it has to be set'
    expect(faultsOf(() => load({ NODE_ENV: 'production' }))).toEqual({ REDIS_URL: message, TOKEN: message })
    const TOKEN_FILE = file('token', 'abc')
    expect(load({ NODE_ENV: 'production', REDIS_URL: 'redis://r', TOKEN_FILE }).values.TOKEN).toBe('abc')
  })

  it('hears what else is wrong, with everything else', () => {
    expect(faultsOf(() => load({ NODE_ENV: 'production', REDIS_URL: 'none' }))).toEqual({
      REDIS_URL: 'is needed here',
      TOKEN: 'is missing; in production it has to be set',
    })
  })
})

describe('the table', () => {
  it('says what is set from where, and nothing secret', () => {
    const Table = z.object({
      PORT: z.coerce.number().default(3_000),
      DATABASE_URL: z.string(),
      REPLICA_URL: z.string(),
      SMTP_PASSWORD: z.string(),
      CERTIFICATE: z.string(),
      JWT_PRIVATE_KEY: z.string(),
      TITLE: z.string(),
      LEFT: z.string().optional(),
      NESTED: z.string().transform((text) => ({ text })),
    })
    const JWT_PRIVATE_KEY_FILE = file('jwt', 'hunter2')
    const envFile = file('.env', 'REPLICA_URL=postgres://replica/users?password=hunter2\nNESTED=hunter2')
    const env = {
      DATABASE_URL: 'postgres://me:hunter2@db/users',
      SMTP_PASSWORD: 'hunter2',
      CERTIFICATE: 'hunter2',
      JWT_PRIVATE_KEY_FILE,
      TITLE: `two\nlines\u001b[2J ${'x'.repeat(100)}`,
    }
    const table = loadConfig(Table, { env, envFile, secrets: ['JWT_PRIVATE_KEY', 'CERTIFICATE'] }).table()
    const rows = table
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    expect(rows).toEqual([
      ['variable', 'value', 'from'],
      ['PORT', '3000', 'default'],
      ['DATABASE_URL', 'postgres://********@db/users', 'environment'],
      ['REPLICA_URL', 'postgres://replica/users?********', envFile],
      ['SMTP_PASSWORD', '********', 'environment'],
      ['CERTIFICATE', '********', 'environment'],
      ['JWT_PRIVATE_KEY', '********', JWT_PRIVATE_KEY_FILE],
      ['TITLE', expect.stringMatching(/^two lines \[2J x+…$/), 'environment'],
      ['NESTED', '(an object)', envFile],
    ])
  })
})

describe('options', () => {
  it('are checked', () => {
    const env = {}
    expect(() => loadConfig({} as never, { env })).toThrow(/`schema` must be a Standard Schema/)
    expect(() => loadConfig(z.object({}), { evn: {} } as never)).toThrow(/Did you mean `env`/)
    const waiting = z.object({}).refine(async () => true)
    expect(() => loadConfig(waiting, { env, envFile: false })).toThrow(/without waiting|async/i)
  })

  it('end the process with 78, and every fault on stderr, if asked to', () => {
    const index = new URL('../src/index.ts', import.meta.url).href
    const zod = import.meta.resolve('zod')
    const program = `import { loadConfig } from '${index}'; import { z } from '${zod}'
      loadConfig(z.object({ PORT: z.coerce.number(), B: z.string() }), { onInvalid: 'exit', envFile: false }); console.log('went on')`
    const run = spawnSync(
      process.execPath,
      ['--conditions=@scale/source', '--import', 'tsx', '--input-type=module', '-e', program],
      {
        encoding: 'utf8',
        cwd: new URL('..', import.meta.url),
        env: { ...process.env, NODE_ENV: '', PORT: 'http', B: '' },
      },
    )
    expect(run).toMatchObject({ status: 78, stdout: '' })
    expect(run.stderr).toMatch(/^The configuration cannot be used:\n {2}PORT: .*\n {2}B: is missing\n$/)
  })
})
