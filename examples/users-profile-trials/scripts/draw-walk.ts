import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { call, startService } from '../../users-profile/test/service.js'

// Draws docs/walk.svg from a real run: `pnpm --filter users-profile-trials walk`.

const service = await startService({ WEB_CONCURRENCY: '2' })
const me = { name: 'Ada Lovelace', email: `ada.${Date.now()}@example.org`, password: 'correct horse battery' }
const lines: { text: string; tone: 'prompt' | 'good' | 'slow' | 'bad' | 'plain' }[] = []
const show = (text: string, tone: (typeof lines)[number]['tone'] = 'plain'): number =>
  lines.push({ text, tone })

show('$ npx --yes pnpm dev', 'prompt')
show('http://127.0.0.1:3000 · 2 workers · Redis 7.0 · embedded PostgreSQL')
show('')
show('$ register, log in, read the profile eleven times, log out', 'prompt')
const registered = await call(service.url, 'POST', '/v1/users', { body: me })
show(`POST /v1/users     ${registered.status}`, 'good')
const login = await call(service.url, 'POST', '/v1/login', { body: me })
show(`POST /v1/login     ${login.status}`, 'good')
const token = String(login.body.token)
for (let i = 0; i < 11; i++) {
  const { status, headers, tookMs } = await call(service.url, 'GET', '/v1/profile', { token })
  const cache = headers.get('cache-status')?.split(';')[1]?.trim() ?? ''
  const text = `GET  /v1/profile   ${status}  ${tookMs.toFixed(1).padStart(6)} ms  ${cache.padEnd(14)} ${headers.get('ratelimit') ?? ''}`
  show(text, status === 429 ? 'bad' : tookMs > 100 ? 'slow' : 'good')
}
const logout = await call(service.url, 'POST', '/v1/logout', { token })
show(`POST /v1/logout    ${logout.status}`, 'good')
const after = await call(service.url, 'GET', '/v1/profile', { token })
show(`GET  /v1/profile   ${after.status}`, 'bad')
await service.stop()

const colour = { prompt: '#7aa2f7', good: '#9ece6a', slow: '#e0af68', bad: '#f7768e', plain: '#c0caf5' }
const escapeXml = (text: string): string => text.replace(/[<&>]/g, (c) => `&#${c.charCodeAt(0)};`)
const height = lines.length * 20 + 40
const rows = lines.map(
  ({ text, tone }, i) =>
    `<text x="20" y="${36 + i * 20}" fill="${colour[tone]}" xml:space="preserve">${escapeXml(text)}</text>`,
)
writeFileSync(
  fileURLToPath(new URL('../../../docs/walk.svg', import.meta.url)),
  `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">
<title>The walk: register, log in, read the profile eleven times, log out</title>
<rect width="100%" height="100%" rx="8" fill="#1a1b26"/>
${rows.join('\n')}
</svg>
`,
)
