import { answer, isRead, orSay, type PlainHandler } from '../exposition/handler.js'
import { fleetOf } from '../fleet/fleet.js'
import { type DashboardOptions, metricsHandlerDefaults, resolveDashboardOptions } from '../options.js'
import { History } from './history.js'
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
  const { register, title, refreshMs } = resolveDashboardOptions(options)
  const fleet = fleetOf({ register })
  const html = page(title, refreshMs)
  const { deadlineMs } = metricsHandlerDefaults
  const history = new History(fleet, deadlineMs)
  history.start(Math.min(5 * refreshMs, 10_000))

  return async function dashboard(req, res) {
    if (!isRead(req, res)) return
    if (!/\/data\.json(?:\?|$)/.test(req.url ?? '')) {
      const headers = { 'content-security-policy': contentSecurityPolicy, 'referrer-policy': 'no-referrer' }
      return answer(req, res, 'text/html; charset=utf-8', html, headers)
    }
    await orSay(res, async () => {
      const summary = summarise(await fleet.gather(deadlineMs), Date.now())
      await answer(req, res, 'application/json', JSON.stringify({ ...summary, history: history.totals }))
    })
  }
}
