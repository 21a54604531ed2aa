import { execFileSync } from 'node:child_process'
import { hash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessToken, dpop } from '../src/index.js'
import { errorHandler } from './app.js'
import { clientThumbprint } from './dpop/proofs.js'
import { mint, options } from './tokens.js'

interface Certificate {
  key: Buffer
  cert: Buffer
  /** As in the claim. */
  thumbprint: string
}

const folder = mkdtempSync(join(tmpdir(), 'certificates-'))

function certificate(name: string): Certificate {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  const subject = ['-subj', `/CN=${name}`, '-days', '2']
  const pair = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
  ]
  execFileSync('openssl', ['req', '-x509', ...pair, ...subject], { stdio: 'ignore' })
  const der = new X509Certificate(readFileSync(cert)).raw
  return { key: readFileSync(key), cert: readFileSync(cert), thumbprint: hash('sha256', der, 'base64url') }
}

let server: Server
let mine: Certificate
let other: Certificate
let bound: string

beforeAll(async () => {
  ;[mine, other] = [certificate('mine'), certificate('other')]
  bound = await mint({ claims: { cnf: { 'x5t#S256': mine.thumbprint } } })
  const read: express.RequestHandler = (req, res) => void res.json(req.auth?.claims.sub)
  const forwarded = accessToken(
    options({
      clientCertificate: (req) => {
        const text = req.headers['x-client-cert']
        return text === undefined ? undefined : decodeURIComponent(String(text))
      },
    }),
  )
  const app = express()
    .get('/orders', accessToken(options()), read)
    .get('/forwarded', forwarded, read)
    .get('/both', accessToken(options({ dpop: dpop({ mode: 'accepted' }) })), read)
    .use(errorHandler)
  const tls = { ...certificate('server'), requestCert: true, rejectUnauthorized: false }
  server = createServer(tls, app).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server?.close()
  rmSync(folder, { recursive: true })
})

async function status(
  path: string,
  token: string,
  by?: Certificate,
  headers: Record<string, string> = {},
): Promise<number> {
  const { port } = server.address() as AddressInfo
  const client = by === undefined ? {} : { key: by.key, cert: by.cert }
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    agent: false,
    rejectUnauthorized: false,
    ...client,
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
  sent.end()
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode
}

describe('a token that is bound to a certificate', () => {
  it('is good over a connection with that certificate, and no other', async () => {
    expect(await status('/orders', bound, mine)).toBe(200)
    expect(await status('/orders', bound, mine)).toBe(200)
    expect(await status('/orders', bound, other)).toBe(401)
    expect(await status('/orders', bound)).toBe(401)
    await expect(accessToken(options()).verify(bound)).rejects.toMatchObject({ reason: 'binding' })
  })

  it('is held against what the proxy says, where that is asked', async () => {
    const of = (text: string): Record<string, string> => ({ 'x-client-cert': encodeURIComponent(text) })
    expect(await status('/forwarded', bound, undefined, of(mine.cert.toString()))).toBe(200)
    expect(await status('/forwarded', bound, undefined, of(other.cert.toString()))).toBe(401)
    expect(await status('/forwarded', bound, undefined, of('no certificate'))).toBe(401)
    // Our own connection says nothing of the client then.
    expect(await status('/forwarded', bound, mine)).toBe(401)
  })

  it('needs both proofs if it is bound to a key as well', async () => {
    const twice = await mint({ claims: { cnf: { 'x5t#S256': mine.thumbprint, jkt: clientThumbprint } } })
    for (const path of ['/orders', '/both']) expect(await status(path, twice, mine)).toBe(401)
  })
})

it('a token that is bound to nothing is as good with a certificate as without', async () => {
  expect([await status('/orders', await mint(), mine), await status('/orders', await mint())]).toEqual([
    200, 200,
  ])
})
