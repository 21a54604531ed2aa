/** What a mapper makes of something thrown. Nothing in it is trusted yet. */
export interface Mapped {
  status: unknown
  code?: unknown
  type?: unknown
  title?: unknown
  /** Left out of the answer from status 500 on. */
  detail?: unknown
  headers?: unknown
  extensions?: unknown
  /** How another server answered, for the record. */
  upstreamStatus?: number
}

/** Knows one kind of thing that is thrown, by its shape; `undefined` for any other. It never throws. */
export type Mapper = (thrown: unknown) => Mapped | undefined
