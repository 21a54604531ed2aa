import { createServer } from 'node:http'
import * as oauth from 'oauth4webapi'
import { expect, it } from 'vitest'
import { accessToken, type InvalidToken } from '../src/index.js'
import { AUDIENCE, goodClaims, ISSUER, key, mint, options, part, testKey } from './tokens.js'

// A few hundred tokens that are almost good, judged here and by oauth4webapi: every difference is listed with its reason.

const nowMs = Date.now()
const now = Math.floor(nowMs / 1_000)
const fresh = { iat: now - 10, exp: now + 300 }
const stranger = testKey('ES256', 'k1')

interface NearMiss {
  name: string
  token: string
}

async function nearMisses(): Promise<NearMiss[]> {
  const all: NearMiss[] = []
  const add = async (name: string, claims: Record<string, unknown>, header?: Record<string, unknown>) => {
    all.push({ name, token: await mint({ claims: { ...fresh, ...claims }, ...(header && { header }) }) })
  }
  // Each claim and header, with values of every type.
  const values = [
    undefined,
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e21,
    '',
    ' ',
    'x',
    '0',
    [],
    ['x'],
    [[]],
    {},
    { a: 1 },
  ]
  for (const name of Object.keys(goodClaims())) {
    for (const value of values) await add(`claim ${name} = ${JSON.stringify(value)}`, { [name]: value })
  }
  for (const name of ['typ', 'kid', 'jku', 'x5u', 'jwk', 'x5c', 'nbf']) {
    for (const value of values) {
      if (name === 'nbf') await add(`claim nbf = ${JSON.stringify(value)}`, { nbf: value })
      else await add(`header ${name} = ${JSON.stringify(value)}`, {}, { [name]: value })
    }
  }
  // Every character of each border, changed or taken away.
  const good = await mint({ claims: fresh })
  const parts = good.split('.') as [string, string, string]
  const signature = Buffer.from(parts[2], 'base64')
  for (const [index, text] of parts.entries()) {
    for (const at of [0, 1, text.length >> 1, text.length - 2, text.length - 1]) {
      for (const character of ['', 'A', '_', '=', '.', ' ', '+', '/', '\u00e9']) {
        if (character === text[at]) continue
        const changed = text.slice(0, at) + character + text.slice(at + 1)
        // `+` and `/` are what `-` and `_` are in the other alphabet; the last character has bits that no byte uses.
        const respells = index === 2 && Buffer.from(changed, 'base64').equals(signature)
        all.push({
          name: `${respells ? 'second spelling: ' : ''}part ${index}[${at}] = '${character}'`,
          token: parts.with(index, changed).join('.'),
        })
      }
    }
  }
  for (const claims of [{ sub: 'root' }, { scope: 'admin' }, { exp: now + 10_000 }]) {
    const payload = part({ ...goodClaims(), ...fresh, ...claims })
    all.push({ name: `payload swapped`, token: parts.with(1, payload).join('.') })
  }
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // The last character of 64 bytes has four bits that no byte uses, all zero in the one right spelling.
  const respelled = good.slice(0, -1) + letters[letters.indexOf(good.at(-1)!) + 1]
  all.push({ name: 'second spelling of the signature', token: respelled })
  all.push({ name: 'signed by a stranger', token: await mint({ claims: fresh, key: stranger }) })
  return all
}

/** What oauth4webapi accepts and this does not, and why. There is nothing of which it is the other way round. */
const STRICTER: [tokens: RegExp, why: string][] = [
  [
    /^header (jku|x5u|jwk|x5c) /,
    'a token that brings keys along is refused; ignoring them is as safe, and hides an attack',
  ],
  [/^claim (sub|jti|client_id) = ""/, 'an empty name identifies nobody'],
  [/^claim iat = 1e\+21/, 'made in the future'],
  [/^claim (iat|nbf) = -1/, 'an instant before 1970 is a mistake'],
  [/^claim scope = /, 'a scope that is no text allows nothing, and whoever made it meant something'],
  [/^second spelling/, 'a second spelling of a good signature: lists keyed by the text would not know it'],
]

it('almost good tokens are refused, and every difference to another validator is explained', async () => {
  const server = createServer((_req, res) => {
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key.jwk] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const as: oauth.AuthorizationServer = { issuer: ISSUER, jwks_uri: `http://127.0.0.1:${port}/` }
  const here = accessToken(options({ clock: () => nowMs }))
  const misses = await nearMisses()
  expect(misses.length).toBeGreaterThan(300)

  const differences: { name: string; here: string; there: string }[] = []
  let refused = 0
  for (const { name, token } of misses) {
    const ours = await here.verify(token).then(
      () => 'accepted',
      (error: InvalidToken) => error.reason,
    )
    const theirs = await judgedThere(as, token)
    if (ours !== 'accepted') refused++
    if ((ours === 'accepted') !== (theirs === 'accepted'))
      differences.push({ name, here: ours, there: theirs })
  }
  server.close()
  expect(differences.filter((one) => one.here === 'accepted')).toEqual([])
  const names = differences.map(({ name }) => name)
  expect(names.filter((name) => !STRICTER.some(([tokens]) => tokens.test(name)))).toEqual([])
  expect(STRICTER.filter(([tokens]) => !names.some((name) => tokens.test(name)))).toEqual([])
  expect(refused).toBeGreaterThan(300)
})

async function judgedThere(as: oauth.AuthorizationServer, token: string): Promise<string> {
  let request: Request
  try {
    request = new Request('http://127.0.0.1/', { headers: { authorization: `Bearer ${token}` } })
  } catch {
    return 'refused'
  }
  return oauth
    .validateJwtAccessToken(as, request, AUDIENCE, {
      [oauth.allowInsecureRequests]: true,
      signingAlgorithms: ['ES256'],
      [oauth.clockTolerance]: 10,
    })
    .then(
      () => 'accepted',
      () => 'refused',
    )
}
