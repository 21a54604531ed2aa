import { createRedis, whenReady } from '@scale/redis'
import { decodeJwt } from 'jose'
import type { AccessTokenClaims, AccessTokens, KeySetMessage } from '../../src/index.js'
import { AUDIENCE, ISSUER } from '../tokens.js'
import { keyTimes, type Order, type Report, type Verdict } from './messages.js'

// A process of its own that verifies what it is sent: `member.ts REDIS-URL KEY-SET-URL`.

const [redisUrl, keySetUrl] = process.argv.slice(2) as [string, string]

// The clock of this machine, for everything in this process.
const trueTime = Date.now
let shiftMs = 0
Date.now = () => trueTime() + shiftMs

const { accessToken, keySetChannel, remoteKeys, revocation } = await import('../../src/index.js')
const redis = createRedis(redisUrl, { guard: { patienceMs: 5_000 } })
await whenReady(redis, 5_000)
const revoked = revocation({ redis })

/** When the keys of this process came. */
let loadedAt = 0
keySetChannel.subscribe((message) => {
  const { url, outcome } = message as KeySetMessage
  if (url === keySetUrl && outcome === 'loaded') loadedAt = trueTime()
})

async function verifier(url: string): Promise<AccessTokens> {
  const keys = remoteKeys(url, keyTimes)
  await keys.ready().catch(() => {})
  return accessToken({ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], keys, revocation: revoked })
}

async function verdictOf(tokens: AccessTokens, token: string): Promise<Verdict> {
  try {
    await tokens.verify(token)
    return 'accepted'
  } catch (error) {
    const { reason, status } = error as { reason?: string; status?: number }
    return reason ?? String(status ?? error)
  }
}

const old = await verifier(keySetUrl)

function verdicts(tokens: AccessTokens, texts: readonly string[]): Promise<Verdict[]> {
  return Promise.all(texts.map((text) => verdictOf(tokens, text)))
}

/** A good token with another signature, that is a signature by its form. */
function forgery(like: string, number: number): string {
  const [head, claims, signature] = like.split('.') as [string, string, string]
  const bytes = Buffer.from(signature, 'base64url')
  bytes.writeUInt32BE(number, 28)
  return `${head}.${claims}.${bytes.toString('base64url')}`
}

function report(verdicts: readonly Verdict[] = [], fresh: readonly Verdict[] = []): Report {
  return { verdicts, fresh, loadedAt }
}

async function obeyed(order: Order): Promise<Report> {
  switch (order.kind) {
    case 'clock':
      shiftMs = order.shiftMs
      return report()
    case 'revoke': {
      const claims = decodeJwt<AccessTokenClaims & { sid: string }>(order.token)
      if (order.what === 'token') await revoked.revokeToken(claims)
      else if (order.what === 'family') await revoked.revokeFamily(claims)
      else await revoked.revokeUser(claims)
      return report()
    }
    case 'flood': {
      const texts = Array.from({ length: order.count }, (_, number) => forgery(order.like, number))
      return report([...new Set(await verdicts(old, texts))])
    }
    case 'probe': {
      // Its keys are those of a moment before: what the provider says between the two is nobody's fault.
      const begun = await verifier(`${keySetUrl}/again`)
      const fresh = await verdicts(begun, order.tokens)
      return report(await verdicts(old, order.tokens), fresh)
    }
  }
}

process.on('message', async (order: Order) => process.send!(await obeyed(order)))
process.send!('ready')
