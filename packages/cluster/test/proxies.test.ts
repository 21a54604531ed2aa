import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackDebianPackages } from '@scale/devkit/debian'
import { describe, expect, test } from 'vitest'
import { type AppProcess, freePort, launch, startApp, temporaryFolder } from './app-process.js'
import { Load } from './load.js'

// Real proxies of Debian in front of two copies of two workers each.

interface Copy {
  port: number
  adminPort: number
}

interface Proxy {
  name: 'nginx' | 'haproxy'
  args: (file: string, folder: string) => string[]
  config: (listen: number, copies: Copy[], folder: string) => string
}

/**
 * As in docs/guides/nginx.md. This nginx asks for no readiness, and its own reload closes idle clients: it goes on to
 * the next copy when one refuses.
 */
const nginx: Proxy = {
  name: 'nginx',
  args: (file, folder) => ['-p', folder, '-c', file, '-e', 'stderr', '-g', 'daemon off;'],
  config: (listen, copies, folder) => `
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
  upstream app {
${copies.map(({ port }) => `    server 127.0.0.1:${port} max_fails=0;`).join('\n')}
    keepalive 32;
    keepalive_timeout 60s;
  }
  server {
    listen 127.0.0.1:${listen};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_next_upstream error timeout;
    }
  }
}`,
}

/** As in docs/guides/haproxy.md: it asks /readyz. */
const haproxy: Proxy = {
  name: 'haproxy',
  args: (file) => ['-db', '-f', file],
  config: (listen, copies) => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse safe
  retries 3
  option redispatch
  option forwardfor
frontend public
  bind 127.0.0.1:${listen}
  default_backend app
backend app
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  option httpchk GET /readyz
  default-server inter 100ms fall 2 rise 1 pool-purge-delay 60s
${copies.map(({ port, adminPort }, index) => `  server copy${index + 1} 127.0.0.1:${port} check port ${adminPort}`).join('\n')}
`,
}

const clients = { get: 4, 'slow-body': 2, 'large-answer': 1, numbered: 3 }

describe.each([nginx, haproxy])('$name in front of two copies', (proxy) => {
  test('a reload, and a copy that leaves and returns: nothing lost, no 502', async () => {
    const copies = await Promise.all(
      [1, 2].map(async () => ({ port: await freePort(), adminPort: await freePort() })),
    )
    const apps = await Promise.all(copies.map(startCopy))
    const listen = await freePort()
    const folder = temporaryFolder()
    const file = join(folder, 'proxy.conf')
    writeFileSync(file, proxy.config(listen, copies, folder))
    const unpacked = await unpackDebianPackages([proxy.name])
    const front = launch(unpacked.program(proxy.name)!, proxy.args(file, folder), { env: unpacked.env })
    const url = `http://127.0.0.1:${listen}`
    await expect
      .poll(async () => (await fetch(url).catch(() => undefined))?.status, { timeout: 10_000 })
      .toBe(200)

    const load = new Load(url).start(clients)
    process.kill(apps[0]!.pid, 'SIGHUP')
    await apps[0]!.said('reload', { state: 'done' })
    for (const index of [0, 1]) {
      process.kill(apps[index]!.pid, 'SIGTERM')
      expect(await apps[index]!.exited).toEqual({ code: 0, signal: null })
      apps[index] = await startCopy(copies[index]!)
      await servedAgain(apps[index]!)
    }
    const { sent, answered, refused, lost } = await load.stop()
    expect({ lost, refused, answered }, notRefused(front)).toEqual({ lost: [], refused: 0, answered: sent })
    expect(sent).toBeGreaterThan(100)
  })
})

async function startCopy({ port, adminPort }: Copy): Promise<AppProcess> {
  const app = await startApp({
    port,
    options: {
      workers: 2,
      admin: { port: adminPort },
      reload: { canaryMs: 100 },
      drain: { delayMs: 500 },
      watchdog: { intervalMs: 100, timeoutMs: 60_000 },
    },
  })
  await app.said('running', { role: 'primary' })
  return app
}

/** The proxy has found the copy: its workers say that they answer. */
async function servedAgain(app: AppProcess): Promise<void> {
  await app.until(
    () => app.of('heartbeat').some(({ heartbeat }) => (heartbeat as { requests: number }).requests > 0),
    'requests',
  )
}

/** What the proxy said, without that a copy which is gone refuses connections: it went on to the other. */
function notRefused(front: AppProcess): string {
  return front.other.filter((line) => !line.includes('Connection refused')).join('\n')
}
