import type { RequestHandler } from 'express'
import type { CatalogueRepository } from '../repositories/catalogue.js'
import { cataloguePage } from '../validators.js'

/** `GET /v1/catalogue`: stored by `cache.http` in front of it, and by whatever cache stands between. */
export function readCatalogue(catalogue: CatalogueRepository): RequestHandler {
  return async function readCatalogue(req, res) {
    const { after, limit } = cataloguePage.valid(req).query
    const { items, next } = await catalogue.list({ after, limit })
    // RFC 8288; relative to the request, whatever stands in front of it.
    if (next !== undefined)
      res.set('Link', `<?${new URLSearchParams({ after: next, limit: String(limit) })}>; rel="next"`)
    res.set('Cache-Control', 'public, max-age=60').json({ items })
  }
}
