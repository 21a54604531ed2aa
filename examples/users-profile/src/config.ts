import { readFileSync } from 'node:fs'
import { signingKeys } from '@scale/auth'
import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65_535)
const wholeMs = (max: number) => z.coerce.number().int().min(0).max(max)

/** Whether a text is a private key that tokens can be signed with. */
const isSigningKey = (text: string): boolean => {
  try {
    return signingKeys(text) !== undefined
  } catch {
    return false
  }
}
const isFileOfKey = (path: string): boolean => {
  try {
    return isSigningKey(readFileSync(path, 'utf8'))
  } catch {
    return false
  }
}

/** With TLS, or on this machine: what travels there opens accounts. */
const isConfidential = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || url.hash !== '' || url.search !== '') return false
  return (
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname))
  )
}
/** Where browsers find the service: no path, so that links are made by appending one. */
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text
const isCallback = (text: string): boolean =>
  isConfidential(text) && new URL(text).pathname === '/v1/login/oidc/callback'

/** Every variable that the service reads. An empty one counts as not set. */
const Environment = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  DATA_DIR: z.string().optional(),
  HOST: z.string().default('0.0.0.0'),
  PORT: port.default(3_000),
  ADMIN_HOST: z.string().default('127.0.0.1'),
  ADMIN_PORT: port.default(9_464),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  REDIS_URL: z
    .string()
    .regex(/^(?:none|rediss?(?:\+sentinel|\+cluster)?:\/\/.+)$/)
    .optional(),
  REDIS_DEADLINE_MS: z.coerce.number().int().min(10).max(10_000).default(100),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\/.+/)
    .optional(),
  JWT_PRIVATE_KEY: z.string().refine(isSigningKey).optional(),
  JWT_PRIVATE_KEY_FILE: z.string().refine(isFileOfKey).optional(),
  OIDC_ISSUER: z.string().refine(isConfidential).optional(),
  OIDC_CLIENT_ID: z.string().max(512).optional(),
  OIDC_CLIENT_SECRET: z.string().max(512).optional(),
  OIDC_REDIRECT_URI: z.string().refine(isCallback).optional(),
  WEB_CONCURRENCY: z.coerce.number().int().min(1).max(1_024).optional(),
  TRUST_PROXY: z.string().optional(),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/.+/)
    .optional(),
  MAIL_SENDER: z.email().default('users-profile@localhost.localdomain'),
  PUBLIC_URL: z.string().refine(isOrigin).optional(),
  REGISTRATION_QUOTA: z.coerce.number().int().min(1).max(1_000_000_000).default(30),
  PROFILE_LOOKUP_MS: wholeMs(60_000).default(200),
  PROFILE_QUOTA: z.coerce.number().int().min(1).max(1_000_000_000).default(10),
  PROFILE_WINDOW_MS: z.coerce.number().int().min(1_000).max(86_400_000).default(60_000),
})

/** A login through a provider needs all of them. */
const OIDC_VARIABLES = ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_REDIRECT_URI'] as const

/** What the service was told, checked once. */
export type Config = Readonly<z.output<typeof Environment>>

/** A variable is missing, or has a value that cannot be used. Names the variables, never a value. */
export class InvalidConfig extends Error {
  /** `EX_CONFIG` of sysexits.h: a supervisor need not try again. */
  readonly exitCode: number = 78

  constructor(names: readonly string[]) {
    super(
      `These variables are missing or have values that cannot be used: ${names.join(', ')}. See the table in the README.`,
    )
  }
}

/**
 * Reads the configuration.
 *
 * @param env  usually `process.env`
 * @throws {InvalidConfig} one or more variables are wrong; all of them are named
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = Environment.safeParse(given)
  const wrong = result.success ? [] : result.error.issues.map((issue) => String(issue.path[0]))
  const hasKey = given.JWT_PRIVATE_KEY !== undefined || given.JWT_PRIVATE_KEY_FILE !== undefined
  if (given.NODE_ENV === 'production') {
    // Nothing is found or made there: a Redis, a database or a key of its own would part a copy from the others.
    wrong.push(...['REDIS_URL', 'DATABASE_URL'].filter((name) => given[name] === undefined))
    if (given.REDIS_URL === 'none') wrong.push('REDIS_URL')
    if (!hasKey) wrong.push('JWT_PRIVATE_KEY')
  }
  const missing = OIDC_VARIABLES.filter((name) => given[name] === undefined)
  if (missing.length < OIDC_VARIABLES.length) wrong.push(...missing)
  if (wrong.length > 0) throw new InvalidConfig([...new Set(wrong)])
  return Object.freeze(result.data!)
}
