/**
 * Asks PostgreSQL one question: `pool.query` of `pg`, of PGlite, or a function around any other client. What it gives are rows, or
 * an object with `rows`.
 */
export type SqlQuery = (
  text: string,
  values: unknown[],
) => Promise<{ rows: readonly unknown[] } | readonly unknown[]>

/** The rows of an answer, in whichever form. */
export function rowsOf<Row>(answer: Awaited<ReturnType<SqlQuery>>): readonly Row[] {
  return ('rows' in answer ? answer.rows : answer) as readonly Row[]
}
