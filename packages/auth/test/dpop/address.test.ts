import { once } from 'node:events'
import { connect } from 'node:net'
import express from 'express'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessToken, type DpopOptions, dpop } from '../../src/index.js'
import { expressVersions, listen, type RunningApp } from '../app.js'
import { NOW_MS, options } from '../tokens.js'
import { bound, prove } from './proofs.js'

// Whoever holds a stolen token and one proof for a harmless address must get nothing else with them. So whatever a request
// writes into the fields that an address could be made of, it is only ever let into the path that the proof names.

const clock = (): number => NOW_MS
const HOST = 'api.example'

function appOf(make: () => express.Express, trustProxy: boolean, changes: DpopOptions = {}): express.Express {
  const app = make()
  if (trustProxy) app.set('trust proxy', true)
  app.use(accessToken(options({ clock, dpop: dpop({ clock, ...changes }) })))
  app.use((req, res) => {
    res.json({ seen: req.path, host: req.headers.host })
  })
  return app
}

interface Sent {
  htu: string
  target: string
  fields?: Record<string, string>
}

/** Sends a request as it stands there, byte by byte. @returns status and what the app saw, if it was let in */
async function sendTo(
  { url }: RunningApp,
  { htu, target, fields = {} }: Sent,
): Promise<{ status: number; seen: string | undefined }> {
  const all = {
    Host: HOST,
    Authorization: `DPoP ${bound}`,
    DPoP: await prove({ claims: { htu } }),
    ...fields,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\n${lines.join('')}Connection: close\r\n\r\n`, 'latin1'))
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
  })
  socket.on('error', () => {})
  await once(socket, 'close')
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)
  return { status, seen: /"seen":"([^"]*)"/.exec(text)?.[1] }
}

const PUBLIC = `http://${HOST}/public`
const PUBLIC_TLS = `https://${HOST}/public`

/** Each asks for `/admin/…` with a proof for `/public`. */
const attacks: [name: string, sent: Sent][] = [
  ['a path in Host', { htu: PUBLIC, target: '/admin', fields: { Host: `${HOST}/public?` } }],
  ['a fragment in Host', { htu: PUBLIC, target: '/admin', fields: { Host: `${HOST}/public#` } }],
  ['a backslash in Host', { htu: PUBLIC, target: '/admin', fields: { Host: `${HOST}\\public?` } }],
  ['a user in Host', { htu: PUBLIC, target: '/admin', fields: { Host: `x@${HOST}/public?` } }],
  [
    'a path in X-Forwarded-Host',
    { htu: PUBLIC, target: '/admin', fields: { 'X-Forwarded-Host': `${HOST}/public?` } },
  ],
  [
    'several values in X-Forwarded-Host',
    { htu: PUBLIC, target: '/admin', fields: { 'X-Forwarded-Host': `${HOST}/public?, ${HOST}` } },
  ],
  [
    'an address in X-Forwarded-Proto',
    { htu: PUBLIC_TLS, target: '/admin', fields: { 'X-Forwarded-Proto': `https://${HOST}/public?` } },
  ],
  ['dot segments', { htu: PUBLIC, target: '/admin/../public' }],
  ['dot segments that are escaped', { htu: PUBLIC, target: '/admin/%2e%2e/public' }],
  ['dot segments, half escaped', { htu: PUBLIC, target: '/admin/.%2E/public' }],
  ['a backslash and dot segments', { htu: PUBLIC, target: '/admin\\..\\public' }],
  ['dot segments at the end', { htu: `http://${HOST}/`, target: '/admin/..' }],
  ['another host in the target', { htu: PUBLIC, target: `http://${HOST}/public` }],
]

describe.each(expressVersions)('%s', (_, make) => {
  const apps: Record<string, RunningApp> = {}
  beforeAll(async () => {
    apps['nobody trusted'] = await listen(appOf(make, false))
    apps['trust proxy'] = await listen(appOf(make, true))
    apps.baseUrl = await listen(appOf(make, true, { baseUrl: `http://${HOST}` }))
  })
  afterAll(async () => {
    for (const app of Object.values(apps)) await app.close()
  })

  it.each(attacks)('a proof for one path opens no other: %s', async (_name, sent) => {
    for (const [name, app] of Object.entries(apps)) {
      const { status, seen } = await sendTo(app, sent)
      expect([name, seen, [400, 401].includes(status)]).toEqual([name, undefined, true])
    }
  })

  it('whatever is in the fields: who is let in sees the path that was proved', async () => {
    const paths = ['/public', '/admin', '/public/a', '/public%2Fa', '/']
    const host = fc.oneof(
      { weight: 3, arbitrary: fc.constant(HOST) },
      fc
        .tuple(
          fc.constantFrom(HOST, 'evil.example', ''),
          fc.constantFrom(...paths),
          fc.constantFrom('?', '#', '/..', '\\', ''),
        )
        .map((all) => all.join('')),
      fc.stringMatching(/^[!-~]{0,20}$/),
    )
    const scheme = fc.constantFrom(
      'http',
      'https',
      `http://${HOST}/public?`,
      `https://${HOST}/public#`,
      'http,https',
      '',
    )
    const segment = fc.constantFrom(
      'public',
      'admin',
      '..',
      '.',
      '%2e%2e',
      '%2e',
      '',
      'a\\..',
      '%2F',
      '%5c..',
      'p%75blic',
    )
    const target = fc.array(segment, { minLength: 1, maxLength: 4 }).map((all) => `/${all.join('/')}`)
    let letIn = 0
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          host,
          forwarded: host,
          scheme,
          target,
          proved: fc.constantFrom(...paths),
          tls: fc.boolean(),
        }),
        async ({ host, forwarded, scheme, target, proved, tls }) => {
          const htu = `${tls ? 'https' : 'http'}://${HOST}${proved}`
          const fields = { Host: host, 'X-Forwarded-Host': forwarded, 'X-Forwarded-Proto': scheme }
          for (const app of Object.values(apps)) {
            const { seen } = await sendTo(app, { htu, target, fields })
            if (seen === undefined) continue
            letIn++
            expect(decodeURIComponent(seen.split('\\')[0]!)).toBe(decodeURIComponent(proved))
          }
        },
      ),
      {
        numRuns: 150,
        examples: [
          [{ host: HOST, forwarded: HOST, scheme: 'http', target: '/public', proved: '/public', tls: false }],
        ],
      },
    )
    expect(letIn).toBeGreaterThan(0)
  })

  it('with `baseUrl` no field decides for which host a proof is', async () => {
    const fields = {
      Host: 'other.example',
      'X-Forwarded-Host': 'other.example',
      'X-Forwarded-Proto': 'https',
    }
    const app = apps.baseUrl!
    expect(await sendTo(app, { htu: PUBLIC, target: '/public?a=1', fields })).toMatchObject({ status: 200 })
    expect(
      await sendTo(app, { htu: 'https://other.example/public', target: '/public', fields }),
    ).toMatchObject({ status: 401 })
  })

  it('hosts that are hosts are good: names, addresses, ports, as a proxy forwards them', async () => {
    for (const host of ['a.example:8443', '[::1]:3000', '127.0.0.1', 'svc_name', 'xn--bcher-kva.example']) {
      const htu = `https://${host}/public`
      const fields = { Host: 'inside', 'X-Forwarded-Host': host, 'X-Forwarded-Proto': 'https' }
      expect(await sendTo(apps['trust proxy']!, { htu, target: '/public', fields })).toMatchObject({
        status: 200,
      })
    }
  })
})

it('`baseUrl` may have the path that a proxy takes away, and may depend on the request', async () => {
  const app = await listen(appOf(() => express(), false, { baseUrl: 'https://api.example/v1/' }))
  const tenants = await listen(
    appOf(() => express(), false, {
      baseUrl: ({ headers }) => (headers.host === 'a.example' ? 'https://a.example' : undefined),
    }),
  )
  expect(await sendTo(app, { htu: 'https://api.example/v1/public', target: '/public' })).toMatchObject({
    status: 200,
  })
  expect(await sendTo(app, { htu: 'https://api.example/public', target: '/public' })).toMatchObject({
    status: 401,
  })
  const of = (host: string): Sent => ({ htu: `https://${host}/x`, target: '/x', fields: { Host: host } })
  expect(await sendTo(tenants, of('a.example'))).toMatchObject({ status: 200 })
  expect(await sendTo(tenants, of('b.example'))).toMatchObject({ status: 401 })
  await app.close()
  await tenants.close()
})

it.each([
  'api.example',
  'ftp://api.example',
  'https://u@api.example',
  'https://api.example?a',
  'https://api.example#a',
])('`baseUrl: %s` is refused', (baseUrl) => {
  expect(() => dpop({ baseUrl })).toThrow(/`baseUrl`/)
})
