import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { accessToken, discoveredKeys } from '../../src/index.js'
import { key, mint, options } from '../tokens.js'
import { type Provider, startProvider } from './provider.js'

let provider: Provider
/** What the provider answers, by path; what is not there is a 404. */
let answers: Record<string, unknown>
let paths: string[]
beforeEach(async () => {
  provider = await startProvider([])
  paths = []
  provider.answer = (res) => {
    const { url } = res.req
    paths.push(url!)
    const body = answers[url!]
    if (body === undefined) res.writeHead(404).end()
    else res.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  }
})
afterEach(() => provider.close())

const origin = (): string => `http://127.0.0.1:${provider.port}`
const jwks = { keys: [key.jwk] }

async function outcome(issuer: string, changes = {}): Promise<string> {
  const keys = discoveredKeys(issuer, { allowHttp: true, ...changes })
  const tokens = accessToken(options({ issuer, keys }))
  try {
    await keys.ready()
    await tokens.verify(await mint({ claims: { iss: issuer } }))
    return 'accepted'
  } catch (error) {
    return String((error as Error).cause ?? error)
  }
}

describe('the keys of an issuer', () => {
  it.each([
    ['', '/.well-known/openid-configuration'],
    ['/', '/.well-known/openid-configuration'],
    ['/tenant/v2.0', '/tenant/v2.0/.well-known/openid-configuration'],
    ['/realms/one/', '/realms/one/.well-known/openid-configuration'],
  ])('are found by OpenID Connect (issuer with the path %j)', async (path, metadata) => {
    const issuer = origin() + path
    answers = { [metadata]: { issuer, jwks_uri: `${origin()}/keys` }, '/keys': jwks }
    expect(await outcome(issuer)).toBe('accepted')
    expect(paths).toEqual([metadata, '/keys'])
  })

  it.each([
    ['', '/.well-known/oauth-authorization-server'],
    ['/tenant', '/.well-known/oauth-authorization-server/tenant'],
  ])('are found by RFC 8414, where that is all there is (path %j)', async (path, metadata) => {
    const issuer = origin() + path
    answers = { [metadata]: { issuer, jwks_uri: `${origin()}/keys` }, '/keys': jwks }
    expect(await outcome(issuer)).toBe('accepted')
  })

  it('are not taken from metadata of another issuer, without an address, or with one that may not be asked', async () => {
    const metadata = '/.well-known/openid-configuration'
    for (const [said, words] of [
      [{ issuer: `${origin()}/`, jwks_uri: `${origin()}/keys` }, /another issuer/],
      [{ jwks_uri: `${origin()}/keys` }, /another issuer/],
      [{ issuer: origin() }, /jwks_uri/],
      [{ issuer: origin(), jwks_uri: 'file:///etc/passwd' }, /jwks_uri/],
      [{ issuer: origin(), jwks_uri: `http://user@127.0.0.1:${provider.port}/keys` }, /jwks_uri/],
      [[], /another issuer/],
      [null, /answered 404|another issuer/],
    ] as const) {
      answers = { [metadata]: said, '/keys': jwks }
      expect(await outcome(origin())).toMatch(words)
    }
    expect(paths).not.toContain('/keys')
  })

  it('are asked for at a new address when the metadata name one', async () => {
    let nowMs = 0
    const metadata = '/.well-known/openid-configuration'
    const keys = discoveredKeys(origin(), { allowHttp: true, clock: () => nowMs })
    answers = { [metadata]: { issuer: origin(), jwks_uri: `${origin()}/keys` }, '/keys': jwks }
    await keys.ready()
    answers = { [metadata]: { issuer: origin(), jwks_uri: `${origin()}/new` }, '/new': jwks }
    nowMs = 600_000
    expect(await keys.find('ES256', key.kid)).toBeDefined()
    expect(paths.slice(-2)).toEqual([metadata, '/new'])
  })

  it('need an address that may be asked', () => {
    for (const issuer of ['http://login.example', 'https://user@login.example', 'login.example', '']) {
      expect(() => discoveredKeys(issuer)).toThrow(/discoveredKeys: the address/)
    }
  })
})
