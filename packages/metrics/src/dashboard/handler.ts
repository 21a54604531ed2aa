import { MetricsInWorker } from '../errors.js'
import { answer, isRead, type PlainHandler } from '../handler.js'
import { type DashboardOptions, metricsHandlerDefaults, resolveDashboardOptions } from '../options.js'
import { defaultRegistry } from '../registry.js'
import { contentSecurityPolicy, page } from './page.js'
import { summarise } from './summary.js'

/**
 * Serves a page for people, with the numbers of all workers as they are now. Mount it under a path and everything below:
 * `'/dashboard/*'` in the admin routes of @scale/cluster, `app.use('/dashboard', …)` in Express. It loads nothing from
 * elsewhere. The numbers alone are at `data.json` below the path.
 *
 * Keep it off the public port: who reads it learns your routes.
 *
 * @throws {InvalidOption}
 */
export function dashboardHandler(options?: DashboardOptions): PlainHandler {
  const { registry = defaultRegistry(), title, refreshMs } = resolveDashboardOptions(options)
  const html = page(title, refreshMs)
  const { deadlineMs } = metricsHandlerDefaults

  return async function dashboard(req, res) {
    if (!isRead(req, res)) return
    if (!/\/data\.json(?:\?|$)/.test(req.url ?? '')) {
      const headers = { 'content-security-policy': contentSecurityPolicy, 'referrer-policy': 'no-referrer' }
      return answer(req, res, 'text/html; charset=utf-8', html, headers)
    }
    try {
      const summary = summarise(await registry.gather(deadlineMs), Date.now())
      await answer(req, res, 'application/json', JSON.stringify(summary))
    } catch (error) {
      if (!(error instanceof MetricsInWorker)) throw error
      res.writeHead(error.status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${error.message}\n`)
    }
  }
}
