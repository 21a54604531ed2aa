/** A response as a store keeps it: plain data, so that it can be written as JSON. */
export interface StoredResponse {
  status: number
  headers: [name: string, value: string][]
  /** Base64. */
  body: string
}

const MOST_BYTES = 1_048_576
/** They tell how the body travelled, and a stored one does not. */
const OF_THE_WIRE = new Set([
  'content-encoding',
  'content-length',
  'transfer-encoding',
  'connection',
  'set-cookie',
])

/** Whether an answer may be given to another who asks the same: nothing in it is for one person. */
export function isStorable({ status, headers }: Response): boolean {
  if (status !== 200 || /no-store|private/i.test(headers.get('cache-control') ?? '')) return false
  const varies = (headers.get('vary') ?? '').toLowerCase().split(/[\s,]+/)
  if (varies.some((name) => name !== '' && name !== 'accept' && name !== 'accept-encoding')) return false
  const length = headers.get('content-length')
  return length !== null && Number(length) <= MOST_BYTES
}

/** Reads a response whole. @returns one that can be read again, and what a store keeps */
export async function stored(response: Response): Promise<{ response: Response; entry: StoredResponse }> {
  const body = Buffer.from(await response.arrayBuffer())
  const headers = [...response.headers].filter(([name]) => !OF_THE_WIRE.has(name))
  const { status } = response
  return {
    response: new Response(body, { status, headers }),
    entry: { status, headers, body: body.toString('base64') },
  }
}

export function restored({ status, headers, body }: StoredResponse): Response {
  return new Response(Buffer.from(body, 'base64'), { status, headers })
}
