import { signingKeys } from '@scale/auth'
import { type Config as Loaded, loadConfig, toMs } from '@scale/config'
import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65_535)
/** `60000`, `60s` or `1m`. */
const duration = (text: string, min: number, max: number) =>
  z.string().default(text).transform(toMs).pipe(z.number().min(min).max(max))

/** Whether a text is a private key that tokens can be signed with. */
const isSigningKey = (text: string): boolean => {
  try {
    return signingKeys(text) !== undefined
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

/** Every variable that the service reads; secrets also from the file that `NAME_FILE` names. */
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
  REDIS_DEADLINE_MS: duration('100', 10, 10_000),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\/.+/)
    .optional(),
  JWT_PRIVATE_KEY: z.string().refine(isSigningKey).optional(),
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
  PROFILE_LOOKUP_MS: duration('200', 0, 60_000),
  PROFILE_QUOTA: z.coerce.number().int().min(1).max(1_000_000_000).default(10),
  PROFILE_WINDOW_MS: duration('1m', 1_000, 86_400_000),
})

/** A login through a provider needs all of them. */
const OIDC_VARIABLES = ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_REDIRECT_URI'] as const

/** What the service was told, checked once. */
export type Config = Readonly<z.output<typeof Environment>>

/**
 * Reads the configuration.
 *
 * @param env        usually `process.env`
 * @param onInvalid  `exit`: a process that cannot run says everything that is wrong, and ends with 78
 * @throws {InvalidConfig} one or more variables are wrong; all of them are named
 */
export function loadSettings(env: NodeJS.ProcessEnv, onInvalid: 'throw' | 'exit' = 'throw'): Loaded<Config> {
  return loadConfig(Environment, {
    env,
    onInvalid,
    secrets: ['REDIS_URL', 'DATABASE_URL', 'JWT_PRIVATE_KEY', 'OIDC_CLIENT_SECRET', 'SMTP_URL'],
    // Nothing is found or made there: a Redis, a database or a key of its own would part a copy from the others.
    requiredInProduction: ['REDIS_URL', 'DATABASE_URL', 'JWT_PRIVATE_KEY'],
    check(given) {
      const missing = OIDC_VARIABLES.filter((name) => given[name] === undefined)
      const wrong = missing.length < OIDC_VARIABLES.length ? missing : []
      return [
        ...wrong.map((name) => ({ name, message: 'is missing; a login through a provider needs all four' })),
        ...(given.NODE_ENV === 'production' && given.REDIS_URL === 'none'
          ? [{ name: 'REDIS_URL', message: 'has to be one in production' }]
          : []),
      ]
    },
  })
}
