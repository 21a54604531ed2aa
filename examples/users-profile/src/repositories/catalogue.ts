/** One thing that is for sale. */
export interface CatalogueItem {
  sku: string
  name: string
  priceCents: number
}

/** What is for sale: the same for everybody. */
export interface CatalogueRepository {
  /** Slow on purpose: it stands for a query over many tables. */
  list(): Promise<CatalogueItem[]>
}

const ITEMS: readonly CatalogueItem[] = [
  { sku: 'engine-1', name: 'Analytical Engine', priceCents: 1_700_000 },
  { sku: 'cards-100', name: 'Punched cards, 100', priceCents: 250 },
  { sku: 'notes-g', name: 'Notes on the Engine, note G', priceCents: 1_843 },
]

/** @param options.lookupMs  how long the query takes, in ms */
export function catalogueRepository(options: { lookupMs: number }): CatalogueRepository {
  return {
    async list() {
      await new Promise((resolve) => setTimeout(resolve, options.lookupMs))
      return [...ITEMS]
    },
  }
}
