import type { Database } from '../infrastructure/database.js'

/** One thing that is for sale. */
export interface CatalogueItem {
  sku: string
  name: string
  priceCents: number
}

/** A part of a list, in the order of its keys. */
export interface Page<Item> {
  items: Item[]
  /** The key after which the next page begins; `undefined`: this was the last one. */
  next: string | undefined
}

/** What is for sale: the same for everybody. */
export interface CatalogueRepository {
  /**
   * Slow on purpose: it stands for a query over many tables.
   *
   * @param page.after  the key that the page before ended with. By key and not by number: an offset reads all that it leaves
   *   out, and shows an item twice when another was put in before it
   */
  list(page: { after: string; limit: number }): Promise<Page<CatalogueItem>>
}

/** @param options.lookupMs  how long the query takes, in ms */
export function catalogueRepository(database: Database, options: { lookupMs: number }): CatalogueRepository {
  return {
    async list({ after, limit }) {
      await new Promise((resolve) => setTimeout(resolve, options.lookupMs))
      const items = await database.query<CatalogueItem>(
        'SELECT sku, name, price_cents AS "priceCents" FROM catalogue_items WHERE sku > $1 ORDER BY sku LIMIT $2',
        [after, limit + 1],
      )
      const next = items.length > limit ? items[limit - 1]!.sku : undefined
      return { items: items.slice(0, limit), next }
    },
  }
}
