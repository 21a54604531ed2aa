import { randomBytes } from 'node:crypto'

const base62 = (length: number): string =>
  randomBytes(length * 2)
    .toString('base64')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, length - 2)
    .concat('7q')
const hex = (bytes: number): string => randomBytes(bytes).toString('hex')
/** With a digit: one in some thousands has none, and is then taken for a long name. */
const url64 = (bytes: number): string => {
  const text = randomBytes(bytes).toString('base64url')
  return /\d/.test(text) ? text : url64(bytes)
}
const upper = (length: number): string => base62(length).toUpperCase()
const digits = (length: number): string => `${BigInt(`0x1${hex(length)}`)}`.slice(0, length)
const json64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
// In two parts, so that this file holds no key itself.
const pem = (kind: string): string =>
  [`-----BEGIN ${kind}`, 'KEY-----\n'].join(' ') +
  `${url64(48)}\n` +
  [`-----END ${kind}`, 'KEY-----'].join(' ')

/**
 * Secrets as they look in the wild, new in each run: what is sent, and the part of it that must not be found anywhere.
 */
export const secrets: readonly { kind: string; sent: string; core: string }[] = (
  [
    ['AWS access key id', (s) => `AKIA${s}`, upper(16)],
    ['AWS temporary key id', (s) => `ASIA${s}`, upper(16)],
    ['AWS secret key', (s) => s, base62(40)],
    ['GitHub token', (s) => `ghp_${s}`, base62(36)],
    ['GitHub OAuth token', (s) => `gho_${s}`, base62(36)],
    ['GitHub app token', (s) => `ghs_${s}`, base62(36)],
    ['GitHub fine-grained token', (s) => `github_pat_${s}`, base62(59)],
    ['GitLab token', (s) => `glpat-${s}`, base62(20)],
    ['Slack bot token', (s) => `xoxb-${digits(11)}-${s}`, base62(24)],
    ['Slack user token', (s) => `xoxp-${digits(11)}-${s}`, base62(32)],
    ['Slack app token', (s) => `xapp-1-${s}`, base62(32)],
    ['Stripe secret key', (s) => `sk_live_${s}`, base62(24)],
    ['Stripe test key', (s) => `sk_test_${s}`, base62(24)],
    ['Stripe restricted key', (s) => `rk_live_${s}`, base62(24)],
    ['webhook signing secret', (s) => `whsec_${s}`, base62(32)],
    ['Google API key', (s) => `AIza${s}`, base62(35)],
    ['Google OAuth token', (s) => `ya29.${s}`, base62(40)],
    ['SendGrid key', (s) => `SG.${base62(22)}.${s}`, base62(43)],
    ['npm token', (s) => `npm_${s}`, base62(36)],
    ['PyPI token', (s) => `pypi-${s}`, base62(40)],
    ['OpenAI key', (s) => `sk-proj-${s}`, base62(40)],
    ['Anthropic key', (s) => `sk-ant-api03-${s}`, base62(40)],
    ['Hugging Face token', (s) => `hf_${s}`, base62(34)],
    ['Vault token', (s) => `hvs.${s}`, base62(24)],
    ['DigitalOcean token', (s) => `dop_v1_${s}`, hex(32)],
    ['Shopify token', (s) => `shpat_${s}`, hex(16)],
    ['Twilio key', (s) => `SK${s}`, hex(16)],
    ['Mailgun key', (s) => `key-${s}`, hex(16)],
    ['Databricks token', (s) => `dapi${s}`, hex(16)],
    ['Linear key', (s) => `lin_api_${s}`, base62(40)],
    ['Postman key', (s) => `PMAK-${s}`, hex(24)],
    ['New Relic key', (s) => `NRAK-${s}`, upper(27)],
    ['Docker token', (s) => `dckr_pat_${s}`, base62(27)],
    ['Grafana token', (s) => `glsa_${s}`, base62(32)],
    ['Sentry token', (s) => `sntrys_${s}`, base62(40)],
    ['Telegram bot token', (s) => `${digits(10)}:${s}`, url64(26)],
    ['JSON web token', (s) => `${json64({ alg: 'HS256' })}.${json64({ sub: '1', exp: 2 })}.${s}`, url64(32)],
    ['JSON web token, unsigned', (s) => `${json64({ alg: 'none' })}.${s}.`, json64({ sub: hex(8) })],
    [
      'encrypted JSON token',
      (s) => `${json64({ alg: 'dir', enc: 'A256GCM' })}..${url64(12)}.${s}.${url64(16)}`,
      url64(40),
    ],
    ['session token', (s) => s, url64(32)],
    ['long session token', (s) => s, url64(48)],
    // Without a name these are digests and commits.
    ['hexadecimal token', (s) => `access_token=${s}`, hex(16)],
    ['long hexadecimal token', (s) => `{"sessionToken": "${s}"}`, hex(32)],
    ['one-time code', (s) => `otp: ${s}`, digits(8)],
    ['card code as JSON', (s) => JSON.stringify({ cvv: s }), digits(6)],
    ['secret of a payment', (s) => `pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_${s}`, base62(25)],
    ['base64 secret', (s) => `${s}=`, base62(43)],
    ['signed cookie', (s) => `s:${url64(24)}.${s}`, url64(32)],
    ['bearer credentials', (s) => `Bearer ${s}`, url64(32)],
    ['basic credentials', (s) => `Basic ${s}`, Buffer.from(`ada:${hex(12)}`).toString('base64url')],
    ['DPoP credentials', (s) => `DPoP ${s}`, url64(32)],
    ['Redis URL', (s) => `redis://default:${s}@redis.internal:6379/0`, base62(12)],
    ['Redis URL without user', (s) => `rediss://:${s}@redis.internal:6380`, base62(12)],
    ['PostgreSQL URL', (s) => `postgres://app:${s}@db.internal/users?sslmode=require`, base62(12)],
    [
      'PostgreSQL URL, a password with @ and /',
      (s) => `postgresql://app:p@/${s}@db.internal/users`,
      base62(12),
    ],
    ['MySQL URL', (s) => `mysql://root:${s}@db:3306/app`, base62(12)],
    ['MongoDB URL', (s) => `mongodb+srv://app:${s}@cluster0.example.net/db`, base62(12)],
    ['AMQP URL', (s) => `amqps://guest:${s}@mq.internal/vhost`, base62(12)],
    ['URL with a user', (s) => `https://deploy:${s}@git.example.org/repo.git`, base62(12)],
    [
      'Azure connection string',
      (s) => `DefaultEndpointsProtocol=https;AccountName=x;AccountKey=${s}`,
      `${base62(60)}==`,
    ],
    ['password in words', (s) => `password=${s}`, base62(10)],
    ['password as JSON', (s) => JSON.stringify({ password: s }), base62(10)],
    ['password in a form', (s) => `user=ada&passwd=${s}&x=1`, base62(10)],
    ['API key in words', (s) => `x-api-key: ${s}`, base62(16)],
    ['session cookie', (s) => `__Host-session=${s}`, url64(12)],
    ['private key', () => '', ''],
    ['RSA private key', () => '', ''],
  ] as [string, (secret: string) => string, string][]
).map(([kind, wrap, secret]) => {
  if (!kind.endsWith('private key')) return { kind, sent: wrap(secret), core: secret }
  const sent = pem(kind.startsWith('RSA') ? 'RSA PRIVATE' : 'PRIVATE')
  return { kind, sent, core: sent.split('\n')[1]! }
})
