import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../src/browser.js'
import { run } from '../src/run.js'
import { deadLinks, siteFolder } from '../src/site/build.js'
import { placeOf } from '../src/site/pages.js'
import { filesUnder, publishedPackages, repositoryFiles, root } from '../src/workspace.js'

// The site as `pnpm docs:site` builds it, in a browser that may ask nobody but the server here.

const pictures = join(root, 'node_modules/.cache/site')
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
let server: Server
let browser: Browser
let url: string

beforeAll(async () => {
  // As it is built by hand: NODE_ENV of a test would make another site.
  const main = join(root, 'packages/devkit/src/site/main.ts')
  const built = await run(process.execPath, ['--import', import.meta.resolve('tsx'), main], {
    env: { NODE_ENV: 'production', VITEST: '' },
  })
  if (built.code !== 0) throw new Error(built.output)
  server = createServer((req, res) => {
    const path = decodeURI(new URL(req.url!, 'http://site').pathname).replace(/\/$/, '/index.html')
    try {
      const body = readFileSync(join(siteFolder, path))
      res.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream').end(body)
    } catch {
      res.writeHead(404).end()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  browser = await openBrowser()
  mkdirSync(pictures, { recursive: true })
}, 600_000)
afterAll(async () => {
  await browser?.close()
  server?.closeAllConnections()
  server?.close()
})

/** A page of the site, and what it asked of others. */
async function visit(path: string): Promise<{ page: Page; asked: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } })
  const asked: string[] = []
  await page.route('**', (route) => {
    const target = route.request().url()
    if (target.startsWith(url) || target.startsWith('data:')) return route.continue()
    asked.push(target)
    return route.abort()
  })
  await page.goto(url + path)
  return { page, asked }
}

it('has every document, and the reference of every package', () => {
  const places = repositoryFiles().flatMap((path) => placeOf(path) ?? [])
  const reference = publishedPackages().map(({ path }) => `api/${path.replace('packages/', '')}.md`)
  const pages = filesUnder(siteFolder, (file) => file.endsWith('.html')).map((file) =>
    file.slice(siteFolder.length + 1).replace(/html$/, 'md'),
  )
  expect(pages.filter((page) => page !== '404.md').toSorted()).toEqual([...places, ...reference].toSorted())
})

it('has no dead link', () => {
  expect(deadLinks()).toEqual([])
})

it.each([
  ['start', '/', 'Small npm packages that let any Express app run'],
  ['session', '/packages/session.html', 'Server-side sessions in Redis'],
  ['migration', '/migration/express-session.html', 'rolling deploy'],
  ['troubleshooting', '/troubleshooting.html', 'users are logged out at random'],
  ['reference', '/api/rate-limit.html', 'expressRateLimitStore'],
])(
  'a picture of %s',
  async (name, path, text) => {
    const { page, asked } = await visit(path)
    await page.getByText(text).first().waitFor()
    await page.screenshot({ path: join(pictures, `${name}.png`) })
    expect(asked).toEqual([])
    await page.close()
  },
  60_000,
)

it('finds pages by their words, without asking anybody', async () => {
  const { page, asked } = await visit('/')
  await page.locator('.DocSearch-Button').first().click()
  await page.locator('#localsearch-input').fill('onStoreError')
  await page.locator('.result').first().waitFor()
  await page.screenshot({ path: join(pictures, 'search.png') })
  const found = await page
    .locator('.result')
    .evaluateAll((links) => links.map((link) => link.getAttribute('href')))
  expect(found.some((href) => href?.includes('/packages/rate-limit'))).toBe(true)
  expect(asked).toEqual([])
  await page.close()
}, 60_000)
