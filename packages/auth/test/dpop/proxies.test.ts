import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unpackDebianPackages } from '@scale/devkit/debian'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { accessToken, dpop } from '../../src/index.js'
import { listen, type RunningApp } from '../app.js'
import { NOW_MS, options } from '../tokens.js'
import { bound, prove } from './proofs.js'

// curl through real proxies of Debian to an app that believes what they forward, without `baseUrl`.

interface Proxy {
  name: 'nginx' | 'haproxy'
  args: (file: string, folder: string) => string[]
  config: (port: number, app: string, folder: string) => string
}

const nginx: Proxy = {
  name: 'nginx',
  args: (file, folder) => ['-p', folder, '-c', file, '-e', 'stderr', '-g', 'daemon off;'],
  config: (port, app, folder) => `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${app};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}`,
}

const haproxy: Proxy = {
  name: 'haproxy',
  args: (file) => ['-db', '-f', file],
  config: (port, app) => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend public
  bind 127.0.0.1:${port}
  http-request set-header X-Forwarded-Proto http
  default_backend app
backend app
  server app ${new URL(app).host}
`,
}

let app: RunningApp
const folder = mkdtempSync(join(tmpdir(), 'proxies-'))
const running: ChildProcess[] = []

beforeAll(async () => {
  const proofs = dpop({ clock: () => NOW_MS })
  const web = express()
    .set('trust proxy', 'loopback')
    .use(accessToken(options({ dpop: proofs })))
  for (const path of ['/public', '/admin/secrets']) web.get(path, (req, res) => void res.json(req.path))
  app = await listen(web)
})
afterAll(async () => {
  for (const child of running) {
    child.kill()
    await once(child, 'exit')
  }
  await app?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** @returns the status and the body, one after the other */
async function curl(url: string, proof: string, ...args: string[]): Promise<string> {
  const headers = ['-H', `Authorization: DPoP ${bound}`, '-H', `DPoP: ${proof}`]
  const { stdout } = await promisify(execFile)('curl', [
    ...['-s', '--path-as-is', '-w', ' %{http_code}', ...headers, ...args, url],
  ])
  return stdout
}

describe.each([nginx, haproxy])('curl through $name', (proxy) => {
  let front: string
  beforeAll(async () => {
    const port = await freePort()
    const file = join(folder, `${proxy.name}.conf`)
    writeFileSync(file, proxy.config(port, app.url, folder))
    const unpacked = await unpackDebianPackages([proxy.name])
    const env = { ...process.env, ...unpacked.env }
    running.push(spawn(unpacked.program(proxy.name)!, proxy.args(file, folder), { env, stdio: 'ignore' }))
    front = `http://127.0.0.1:${port}`
    const isUp = async () => (await fetch(`${front}/public`).catch(() => undefined))?.status === 401
    await vi.waitUntil(isUp, { timeout: 20_000 })
  }, 120_000)

  const proofFor = (htu: string): Promise<string> => prove({ claims: { htu } })

  it('opens the path that its proof is for, once', async () => {
    const proof = await proofFor(`${front}/public`)
    expect(await curl(`${front}/public?page=2`, proof)).toBe('"/public" 200')
    expect(await curl(`${front}/public?page=2`, proof)).toMatch(/ 401$/)
    expect(await curl(`${front}/public`, await proofFor(`${app.url}/public`))).toMatch(/ 401$/)
  })

  it('opens no other path, whatever it writes into fields and paths', async () => {
    const { host } = new URL(front)
    const secret = `${front}/admin/secrets`
    const tricks: [url: string, ...args: string[]][] = [
      [secret],
      [secret, '-H', `Host: ${host}/public?`],
      [secret, '-H', `Host: ${host}/public#`],
      [secret, '-H', `X-Forwarded-Host: ${host}/public?`],
      [secret, '-H', `X-Forwarded-Host: ${host}/public#`],
      [secret, '-H', `X-Forwarded-Host: ${host}/public\\`],
      [secret, '-H', `X-Forwarded-Prefix: /public?`],
      [secret, '-H', `X-Original-URL: /public`],
      [secret, '-H', `X-Forwarded-Proto: http://${host}/public?`],
      [`${front}/public/../admin/secrets`],
      [`${front}/public/%2e%2e/admin/secrets`],
      [`${front}/admin/secrets/%2e%2e/%2e%2e/public`],
      [`${front}//admin/secrets`],
      [secret, '--request-target', `${front}/admin/secrets`],
      [secret, '--request-target', `http://${host}/public/../admin/secrets`],
    ]
    for (const [url, ...args] of tricks) {
      const answer = await curl(url, await proofFor(`${front}/public`), ...args)
      expect(answer, [url, ...args].join(' ')).not.toContain('secrets')
      expect(answer, [url, ...args].join(' ')).toMatch(/ 40[0134]$/)
    }
    // The same with the right proof is let in.
    expect(await curl(secret, await proofFor(secret))).toBe('"/admin/secrets" 200')
  })
})
