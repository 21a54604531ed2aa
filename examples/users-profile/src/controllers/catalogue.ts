import type { RequestHandler } from 'express'
import type { CatalogueRepository } from '../repositories/catalogue.js'

/** `GET /v1/catalogue`: stored by `cache.http` in front of it, and by whatever cache stands between. */
export function readCatalogue(catalogue: CatalogueRepository): RequestHandler {
  return async function readCatalogue(_req, res) {
    const items = await catalogue.list()
    res.set('Cache-Control', 'public, max-age=60').json({ items })
  }
}
