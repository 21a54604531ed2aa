/** What a delay line obeys; read anew before every delivery, so that a change counts for what is under way too. */
export interface LineConditions {
  /** How long each byte is under way, ms ≥ 0. */
  readonly latencyMs: number
  /** How much arrives per second; `Infinity` for no limit. */
  readonly bandwidthBytesPerSecond: number
  /** While true nothing arrives. */
  readonly held: boolean
}

/** One direction of a connection: what goes in comes out in order, once, later. */
export interface DelayLine {
  readonly queuedBytes: number
  push(bytes: Buffer): void
  /** Calls back after all that was pushed before has arrived. */
  pushEnd(arrived: () => void): void
  /** To be called when the conditions have changed. */
  wake(): void
  /** Forgets what is under way. */
  drop(): void
}

/** With a bandwidth, bytes arrive in pieces of at most this time. */
const PIECE_MS = 20

interface Item {
  readonly sentAt: number
  readonly bytes: Buffer
  readonly arrived: (() => void) | undefined
}

/** @param deliver  takes what has arrived */
export function delayLine(conditions: () => LineConditions, deliver: (bytes: Buffer) => void): DelayLine {
  const items: Item[] = []
  let queuedBytes = 0
  let lineFreeAt = 0
  let timer: NodeJS.Timeout | undefined

  function run(): void {
    clearTimeout(timer)
    for (;;) {
      const item = items[0]
      if (item === undefined || conditions().held) return
      const piece = item.bytes.subarray(0, pieceBytes(conditions()))
      const dueAt = arrivalOf(item.sentAt, piece.length)
      const now = performance.now()
      if (dueAt > now) {
        timer = setTimeout(run, dueAt - now)
        return
      }
      lineFreeAt = dueAt
      arrive(item, piece)
    }
  }

  function arrivalOf(sentAt: number, bytes: number): number {
    const { latencyMs, bandwidthBytesPerSecond } = conditions()
    const transferMs = (bytes / bandwidthBytesPerSecond) * 1_000
    return Math.max(sentAt + latencyMs, lineFreeAt) + transferMs
  }

  function arrive(item: Item, piece: Buffer): void {
    queuedBytes -= piece.length
    if (piece.length < item.bytes.length) items[0] = { ...item, bytes: item.bytes.subarray(piece.length) }
    else items.shift()
    if (item.arrived) item.arrived()
    else deliver(piece)
  }

  function add(bytes: Buffer, arrived?: () => void): void {
    items.push({ sentAt: performance.now(), bytes, arrived })
    queuedBytes += bytes.length
    if (items.length === 1) run()
  }

  return {
    get queuedBytes() {
      return queuedBytes
    },
    push: (bytes) => add(bytes),
    pushEnd: (arrived) => add(Buffer.alloc(0), arrived),
    wake: run,
    drop: () => {
      items.length = 0
      queuedBytes = 0
      clearTimeout(timer)
    },
  }
}

function pieceBytes({ bandwidthBytesPerSecond }: LineConditions): number {
  return Math.max(1, Math.floor((bandwidthBytesPerSecond / 1_000) * PIECE_MS))
}
