import { randomBytes } from 'node:crypto'
import { type RequestContext, requestContext, type Schema } from '@scale/core'
import { InvalidJob } from './errors.js'

/** A job as it is stored: with whom it was added for, so that its logs and spans are found with theirs. */
interface Sealed {
  /** Version of this format. */
  v: 1
  /** What the job says. */
  d: unknown
  /** Request id, trace id, span id, whether it is recorded. */
  t?: [string, string, string, boolean]
}

/** The text of a job, checked. @throws {InvalidJob} */
export async function seal(
  queue: string,
  { schema, maxDataBytes }: { schema: Schema; maxDataBytes: number },
  data: unknown,
): Promise<string> {
  const from = requestContext()
  const sealed: Sealed = {
    v: 1,
    d: data,
    ...(from !== undefined && { t: [from.requestId, from.traceId, from.spanId, from.sampled] }),
  }
  const text = jsonOf(queue, sealed)
  // As it will be read: what JSON loses is missed now, and not when it is run.
  await output(queue, schema, (JSON.parse(text) as Sealed).d)
  if (Buffer.byteLength(text) > maxDataBytes)
    throw new InvalidJob(queue, `it has more than ${maxDataBytes} bytes`)
  return text
}

function jsonOf(queue: string, sealed: Sealed): string {
  try {
    return JSON.stringify(sealed)
  } catch (cause) {
    throw Object.assign(new InvalidJob(queue, 'it cannot be written as JSON'), { cause })
  }
}

/** What a job says, as the schema gives it, and for whom it runs. @throws {InvalidJob} */
export async function unseal(
  queue: string,
  schema: Schema,
  { id, data }: { id: string; data: string },
): Promise<{ data: unknown; context: RequestContext }> {
  const { v, d, t } = JSON.parse(data) as Partial<Sealed>
  if (v !== 1) throw new InvalidJob(queue, 'it was stored by another release')
  return { data: await output(queue, schema, d), context: contextOf(id, t) }
}

/** What a stored job says, unchecked: for a person who looks at it. */
export function sealedData(data: string): unknown {
  return (JSON.parse(data) as Partial<Sealed>).d
}

/** A span of its own in the trace of the request that has added it, or in one of its own. */
function contextOf(
  id: string,
  [requestId, traceId, , sampled]: Sealed['t'] & {} = [id, hex(16), '', false],
): RequestContext {
  return { requestId, traceId, spanId: hex(8), sampled }
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString('hex')
}

async function output(queue: string, schema: Schema, data: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(data)
  if (result.issues === undefined) return result.value
  const paths = result.issues.map(({ path = [] }) =>
    path.map((key) => String(typeof key === 'object' ? key.key : key)).join('.'),
  )
  // The places alone: a message may repeat what is there.
  throw new InvalidJob(
    queue,
    `see ${paths
      .map((path) => path || 'the whole')
      .join(', ')
      .slice(0, 200)}`,
    result.issues,
  )
}
