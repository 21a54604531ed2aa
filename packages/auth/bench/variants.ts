import { createPublicKey, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto'
import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import type { RequestHandler } from 'express'

const WHO = { issuer: 'https://issuer.example/', audience: 'https://api.example' }
const ADDRESS = 'http://api.example/orders'

type Algorithm = 'EdDSA' | 'ES256' | 'RS256'

function keyPair(algorithm: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return generateKeyPairSync('rsa', { modulusLength: 2_048 })
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function signed(algorithm: Algorithm, key: KeyObject, header: object, claims: object): string {
  const text = `${part({ alg: algorithm, ...header })}.${part(claims)}`
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  const signature = sign(digest, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

/** An access token for an hour; bound to a key if `jkt` is given. */
function tokenOf(algorithm: Algorithm, key: KeyObject, jkt?: string, jti = 'token-1'): string {
  const iat = Math.floor(Date.now() / 1_000)
  const claims = {
    iss: WHO.issuer,
    aud: WHO.audience,
    sub: 'user-1',
    client_id: 'app',
    jti,
    scope: 'read',
  }
  const cnf = jkt === undefined ? {} : { cnf: { jkt } }
  return signed(algorithm, key, { typ: 'at+jwt', kid: 'k' }, { ...claims, ...cnf, iat, exp: iat + 3_600 })
}

/** Makes what verifies tokens under a public key. */
type Verifier = (key: KeyObject, redisUrl: string) => Promise<RequestHandler>

/** A route behind a verifier, and beside it some that give out tokens: `/token?jkt=…`, `/tokens?count=…`. */
async function served(algorithm: Algorithm, make: Verifier, redisUrl: string) {
  const { default: express } = await import('express')
  const { privateKey, publicKey } = keyPair(algorithm)
  const answer = { text: 'x'.repeat(289) }
  return express()
    .get('/token', (req, res) => {
      const { jkt } = req.query
      res.send(tokenOf(algorithm, privateKey, typeof jkt === 'string' ? jkt : undefined))
    })
    .get('/tokens', (req, res) => {
      const texts = Array.from({ length: Number(req.query.count) }, (_, number) =>
        tokenOf(algorithm, privateKey, undefined, `token-${number}`),
      )
      res.send(texts.join(' '))
    })
    .get('/orders', await make(publicKey, redisUrl), (_req, res) => {
      res.json(answer)
    })
}

function bearer(algorithm: Algorithm, make: Verifier): ServerVariant {
  return {
    serve: (redisUrl) => served(algorithm, make, redisUrl),
    requests: async (origin) => {
      const token = await (await fetch(`${origin}/token`)).text()
      const text = `GET /orders HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer ${token}\r\n\r\n`
      return () => text
    },
  }
}

/** More than a bench sends in one generation. */
const REQUESTS = 29_000

/** Each request has a token of its own. */
function unseen(algorithm: Algorithm, make: Verifier): ServerVariant {
  return {
    serve: (redisUrl) => served(algorithm, make, redisUrl),
    requests: async (origin) => {
      const tokens = (await (await fetch(`${origin}/tokens?count=${REQUESTS}`)).text()).split(' ')
      return (number) =>
        `GET /orders HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer ${tokens[number]}\r\n\r\n`
    },
  }
}

function bound(make: Verifier): ServerVariant {
  return {
    serve: (redisUrl) => served('ES256', make, redisUrl),
    requests: async (origin) => {
      const { calculateJwkThumbprint } = await import('jose')
      const { privateKey } = keyPair('ES256')
      const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
      const jkt = await calculateJwkThumbprint(jwk as never)
      const token = await (await fetch(`${origin}/token?jkt=${jkt}`)).text()
      const claims = {
        htm: 'GET',
        htu: ADDRESS,
        iat: Math.floor(Date.now() / 1_000),
        ath: hash('sha256', token, 'base64url'),
      }
      const texts = Array.from({ length: REQUESTS }, (_, number) => {
        const proof = signed(
          'ES256',
          privateKey,
          { typ: 'dpop+jwt', jwk },
          { ...claims, jti: `${jkt}${number}` },
        )
        return `GET /orders HTTP/1.1\r\nHost: api.example\r\nAuthorization: DPoP ${token}\r\nDPoP: ${proof}\r\n\r\n`
      })
      const next: RequestText = (number) => texts[number]!
      return next
    },
  }
}

async function redisClient(url: string) {
  const { createRedis, whenReady } = await import('@scale/redis')
  const redis = createRedis(url)
  await whenReady(redis, 5_000)
  return redis
}

const nothing: Verifier = async () => (_req, _res, next) => next()

function ours(
  algorithm: Algorithm,
  extra: 'nothing more' | 'revocation in Redis' | 'proof of possession',
): Verifier {
  return async (key, redisUrl) => {
    const { accessToken, dpop, localKeys, revocation } = await import('@scale/auth')
    const keys = localKeys({ ...key.export({ format: 'jwk' }), kid: 'k', alg: algorithm } as never)
    const trust = { ...WHO, algorithms: [algorithm], keys }
    if (extra === 'nothing more') return accessToken(trust) as RequestHandler
    const redis = await redisClient(redisUrl)
    if (extra === 'revocation in Redis') {
      return accessToken({ ...trust, revocation: revocation({ redis }) }) as RequestHandler
    }
    return accessToken({
      ...trust,
      dpop: dpop({ redis, maxAgeMs: 600_000, baseUrl: 'http://api.example' }),
    }) as RequestHandler
  }
}

/** On jsonwebtoken, which knows no EdDSA. */
function expressJwt(algorithm: Exclude<Algorithm, 'EdDSA'>): Verifier {
  return async (key) => {
    const { expressjwt } = await import('express-jwt')
    return expressjwt({ secret: key, algorithms: [algorithm], ...WHO })
  }
}

/** What an app writes by hand. */
function joseAlone(algorithm: Algorithm): Verifier {
  return async (key) => {
    const { jwtVerify } = await import('jose')
    return (req, _res, next) => {
      const token = req.headers.authorization!.slice(7)
      jwtVerify(token, key, { algorithms: [algorithm], typ: 'at+jwt', ...WHO }).then(() => next(), next)
    }
  }
}

/** Remembers tokens as well. */
function fastJwt(algorithm: Algorithm): Verifier {
  return async (key) => {
    const { createVerifier } = await import('fast-jwt')
    const verify = createVerifier({
      key: key.export({ format: 'pem', type: 'spki' }) as string,
      algorithms: [algorithm],
      allowedIss: WHO.issuer,
      allowedAud: WHO.audience,
      cache: true,
    })
    return (req, _res, next) => {
      verify(req.headers.authorization!.slice(7))
      next()
    }
  }
}

export const variants: Variants<ServerVariant> = {
  bare: bearer('EdDSA', nothing),
  ...Object.fromEntries(
    (['EdDSA', 'ES256', 'RS256'] as const).flatMap((algorithm) => [
      [`${algorithm}, accessToken`, bearer(algorithm, ours(algorithm, 'nothing more'))],
      // Signing so many with RSA takes half a minute.
      ...(algorithm === 'RS256'
        ? []
        : [[`${algorithm}, accessToken at first sight`, unseen(algorithm, ours(algorithm, 'nothing more'))]]),
      [`${algorithm}, jose alone`, bearer(algorithm, joseAlone(algorithm))],
      [`${algorithm}, fast-jwt that remembers`, bearer(algorithm, fastJwt(algorithm))],
      [
        `${algorithm}, accessToken with revocation in Redis`,
        bearer(algorithm, ours(algorithm, 'revocation in Redis')),
      ],
      ...(algorithm === 'EdDSA'
        ? []
        : [[`${algorithm}, express-jwt`, bearer(algorithm, expressJwt(algorithm))]]),
    ]),
  ),
  'ES256, accessToken with proof of possession': bound(ours('ES256', 'proof of possession')),
}
