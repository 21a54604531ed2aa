import { openBrowser } from '@scale/devkit/browser'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startCluster } from '../support/cluster.js'
import { ask } from '../support/server.js'

let browser: Browser
let port: number
let url: string
let pids: number[]

beforeAll(async () => {
  browser = await openBrowser()
}, 300_000)
afterAll(() => browser.close())

/** Opens the page of a fresh cluster that has answered a few requests. */
async function openPage(): Promise<{ page: Page; problems: string[]; asked: string[] }> {
  const cluster = await startCluster({ WORKERS: '2' })
  ;({ port, pids } = cluster)
  url = `http://127.0.0.1:${cluster.adminPort}/dashboard`
  for (let index = 0; index < 20; index++) await ask(port, { path: `/users/${index}` })
  for (let index = 0; index < 5; index++) await ask(port, { path: '/slow' })
  const page = await browser.newPage()
  const problems: string[] = []
  const asked: string[] = []
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(url)
  return { page, problems, asked }
}

// biome-ignore lint/performance/useDomNodeTextContent: what a person sees, with the breaks between the parts
const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText()

describe('the page', () => {
  it('shows the requests of all workers, and goes on by itself', async () => {
    const { page, problems, asked } = await openPage()
    await expect.poll(() => textOf(page, '#requests')).toContain('25 in all')
    expect(await textOf(page, '#errors')).toContain('5 in all')
    expect(await textOf(page, '#workers-figure')).toMatch(/2\s+0 silent/)
    expect(await page.locator('#routes tr').allInnerTexts()).toEqual([
      expect.stringMatching(/^GET\s\/users\/:id\s20\s0\s/),
      expect.stringMatching(/^GET\s\/slow\s5\s5\s/),
    ])
    expect(await page.locator('#workers th').allInnerTexts()).toEqual(['1', '2', 'primary'])
    await ask(port, { path: '/users/1' })
    await expect.poll(() => textOf(page, '#requests')).toContain('26 in all')
    // Of the window that the request fell into: what came before the page was opened is in no window.
    await expect.poll(() => textOf(page, '#latency')).toMatch(/p50 [\d.]+ ms/)
    await expect.poll(() => textOf(page, '#loop')).toMatch(/[\d.]+ ms/)
    await expect.poll(() => textOf(page, '#window')).toMatch(/last \d+ s/)
    for (const id of ['requests', 'errors', 'latency', 'cache', 'loop']) {
      await expect
        .poll(() => page.locator(`#${id} polyline`).getAttribute('points'), { timeout: 10_000 })
        .toMatch(/,.*,/)
    }
    expect(problems).toEqual([])
    expect(asked.filter((one) => !one.startsWith(url))).toEqual([])
    await page.close()
  })

  it('shows what was before it was opened: lines of rate, errors, p95 and hit ratio, in light and in dark', async () => {
    const { page } = await openPage()
    await page.close()
    // The first steps are over when somebody opens the page.
    const kept = async (): Promise<number> => {
      const { text } = await ask(Number(new URL(url).port), { path: '/dashboard/data.json' })
      return JSON.parse(text).history.filter(
        ({ requests }: { requests: { total: number } }) => requests.total === 25,
      ).length
    }
    await expect.poll(kept, { timeout: 20_000 }).toBeGreaterThan(2)
    const later = await browser.newPage()
    await later.goto(url)
    await expect.poll(() => later.locator('#window').textContent()).toMatch(/last \d+ s/)
    const pictures: Buffer[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await later.emulateMedia({ colorScheme })
      for (const id of ['requests', 'errors', 'latency', 'cache']) {
        const points = (await later.locator(`#${id} polyline`).getAttribute('points'))!.split(' ')
        expect(points.length).toBeGreaterThan(2)
        // What is drawn is inside, and what happened is above the ground; nobody has a cache here.
        const heights = points.map((point) => Number(point.split(',')[1]))
        expect(Math.max(...heights)).toBeLessThanOrEqual(19)
        expect(Math.min(...heights)).toBe(id === 'cache' ? 19 : 1)
      }
      expect(await later.evaluate(contrastOfLines)).toBeGreaterThan(3)
      pictures.push(await later.locator('#figures').screenshot())
    }
    expect(pictures[0]!.equals(pictures[1]!)).toBe(false)
    await later.close()
  })

  it('leaves alone what has not changed: a route that somebody selects, to copy it, stays selected', async () => {
    const { page } = await openPage()
    await expect.poll(() => page.locator('#routes tr').count()).toBe(2)
    await page.locator('#routes td').first().selectText()
    const selected = (): Promise<unknown> => page.evaluate('String(getSelection())')
    expect(await selected()).toBe('/users/:id')
    await ask(port, { path: '/users/1' })
    await expect.poll(() => page.locator('#routes td').nth(1).textContent()).toBe('21')
    expect(await selected()).toBe('/users/:id')
    await page.close()
  })

  it('says that a worker is silent, in words that a screen reader speaks', async () => {
    const { page } = await openPage()
    await expect.poll(() => page.getByRole('status').textContent()).toBe('Updating.')
    process.kill(pids[0]!, 'SIGSTOP')
    await expect.poll(() => page.getByRole('status').textContent()).toBe('1 of 2 workers do not answer.')
    process.kill(pids[0]!, 'SIGCONT')
    await expect.poll(() => page.getByRole('status').textContent()).toBe('Updating.')
    await page.close()
  })

  it('can be used by keyboard, and read by structure', async () => {
    const { page } = await openPage()
    await expect.poll(() => page.locator('#routes tr').count()).toBe(2)
    const stops: string[] = []
    for (let count = 0; count < 3; count++) {
      await page.keyboard.press('Tab')
      stops.push(
        await page.evaluate(
          'document.activeElement.id || document.activeElement.getAttribute("aria-labelledby")',
        ),
      )
    }
    expect(stops).toEqual(['pause', 'routes-heading', 'workers-heading'])
    await page.locator('#pause').focus()
    await page.keyboard.press('Space')
    expect(await page.getByRole('button', { name: 'Pause updates' }).getAttribute('aria-pressed')).toBe(
      'true',
    )
    const before = await textOf(page, '#figures')
    await ask(port, { path: '/users/1' })
    // Three times the interval of the page.
    const asked = page.waitForRequest(/data\.json/, { timeout: 600 }).catch(() => 'none')
    expect(await asked).toBe('none')
    expect(await textOf(page, '#figures')).toBe(before)
    await page.keyboard.press('Enter')
    await expect.poll(() => textOf(page, '#requests')).toContain('26 in all')
    // Of the window that the request fell into: what came before the page was opened is in no window.
    await expect.poll(() => textOf(page, '#latency')).toMatch(/p50 [\d.]+ ms/)
    await expect.poll(() => textOf(page, '#loop')).toMatch(/[\d.]+ ms/)

    expect(await page.getByRole('heading').allInnerTexts()).toEqual([
      'Test <service>',
      expect.stringMatching(/^Now/),
      'Routes',
      'Processes',
    ])
    expect(await page.getByRole('columnheader').count()).toBe(12)
    expect(await page.getByRole('rowheader').count()).toBe(5)
    expect(await page.getByRole('img').count()).toBe(5)
    expect(await page.locator('html').getAttribute('lang')).toBe('en')
    await page.close()
  })

  it('has text that can be read in light and in dark, and allows no script but its own', async () => {
    const { page } = await openPage()
    await expect.poll(() => page.locator('#routes tr').count()).toBe(2)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const contrasts = (await page.evaluate(contrastOfTexts)) as [text: string, contrast: number][]
      expect(contrasts.length).toBeGreaterThan(40)
      expect(contrasts.filter(([, contrast]) => contrast < 4.5)).toEqual([])
    }
    await page.close()
    const { headers, text } = await ask(Number(new URL(url).port), { path: '/dashboard' })
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(text).not.toMatch(/(?:src|href)=/)
    expect(text).toContain('<h1>Test &#60;service&#62;</h1>')
  })
})

/** WCAG 2: luminance of colours, and what is behind an element. */
const colours = `
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = numbers(getComputedStyle(one).backgroundColor)
      if (color.length < 4 || color[3] > 0) return color
    }
    return [255, 255, 255]
  }
`

/** The smallest contrast of a line with its card; runs in the page. */
const contrastOfLines = `(() => {
${colours}
  return Math.min(...[...document.querySelectorAll('polyline')].map((line) => {
    const [a, b] = [luminance(numbers(getComputedStyle(line).stroke)), luminance(behind(line))].sort((x, y) => y - x)
    return (a + 0.05) / (b + 0.05)
  }))
})()`

/** WCAG 2 contrast of every text with what is behind it; runs in the page. */
const contrastOfTexts = `(() => {
${colours}
  return [...document.body.querySelectorAll('*')]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '') && !['SCRIPT', 'STYLE'].includes(one.tagName))
    .map((one) => {
      const [a, b] = [luminance(numbers(getComputedStyle(one).color)), luminance(behind(one))].sort((x, y) => y - x)
      return [one.textContent, (a + 0.05) / (b + 0.05)]
    })
})()`
