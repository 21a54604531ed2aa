import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BreakerMessage, breakerChannel } from '../../src/channels.js'
import type { Deadlines } from '../../src/guard/deadlines.js'
import { Link } from '../../src/guard/link.js'

const policy = { silenceMs: 1_000, reconnectAfterMs: 5_000 }

/** A link whose time and connection are the test's. */
class Scene {
  nowMs = 100_000
  stream: object | undefined = {}
  bytes = 0
  isReady = true
  cuts = 0
  #watch: { expire(nowMs: number): void; waitMs: number; at: number } | undefined
  readonly link = new Link(
    'node',
    policy,
    {
      isReady: () => this.isReady,
      heard: () => (this.stream === undefined ? undefined : { stream: this.stream, bytes: this.bytes }),
      cut: () => {
        this.cuts++
        this.stream = undefined
        this.isReady = false
      },
    },
    {
      add: (waiting, waitMs, nowMs) => {
        expect(this.#watch).toBeUndefined()
        this.#watch = { expire: (at) => waiting.expire(at), waitMs, at: nowMs + waitMs }
      },
    } as Deadlines,
  )

  constructor() {
    this.link.renewed(this.nowMs)
  }

  get isWatched(): boolean {
    return this.#watch !== undefined
  }

  pass(ms: number): void {
    const end = this.nowMs + ms
    for (let watch = this.#watch; watch !== undefined && watch.at <= end; watch = this.#watch) {
      this.nowMs = watch.at
      this.#watch = undefined
      watch.expire(this.nowMs)
    }
    this.nowMs = end
  }

  write(count = 1): void {
    for (let i = 0; i < count; i++) this.link.wrote(this.nowMs)
  }

  answer(): void {
    this.bytes += 5
    this.link.answered(this.nowMs)
  }
}

let scene: Scene
let messages: BreakerMessage[]
let stop: () => void
beforeEach(() => {
  messages = []
  stop = breakerChannel.subscribe((message) => messages.push(message))
  scene = new Scene()
})
afterEach(() => stop())

describe('silence', () => {
  it('of a server that was asked opens it, and not before its time', () => {
    scene.write(100)
    scene.pass(999)
    expect([scene.link.state, scene.link.admits(scene.nowMs)]).toEqual(['closed', true])
    scene.pass(1)
    expect([scene.link.state, scene.link.admits(scene.nowMs)]).toEqual(['open', false])
    expect(scene.link.retryAfterMs).toBe(1_000)
    expect(messages).toEqual([{ from: 'closed', to: 'open', cause: 'silent', node: 'node' }])
  })

  it('of a server that nobody asked is none, for however long', () => {
    scene.pass(3_600_000)
    scene.write()
    scene.pass(900)
    expect(scene.link.state).toBe('closed')
    scene.answer()
    scene.pass(3_600_000)
    expect([scene.link.state, scene.isWatched]).toEqual(['closed', false])
  })

  it('is broken by one answer of many: the clock starts anew', () => {
    scene.write(10)
    for (let i = 0; i < 9; i++) {
      scene.pass(900)
      scene.answer()
    }
    expect([scene.link.state, scene.cuts]).toEqual(['closed', 0])
    scene.pass(1_125)
    expect(scene.link.state).toBe('open')
  })

  it('is broken by bytes that come for somebody else, or are a part of an answer', () => {
    scene.write()
    for (let i = 0; i < 20; i++) {
      scene.pass(500)
      scene.bytes++
    }
    expect([scene.link.state, scene.cuts]).toEqual(['closed', 0])
  })

  it('is not what misses are: any number of them within its time changes nothing', () => {
    for (let i = 0; i < 9; i++) {
      scene.write(100)
      scene.pass(100)
    }
    expect(scene.link.state).toBe('closed')
  })
})

describe('an open one', () => {
  beforeEach(() => {
    scene.write(3)
    scene.pass(1_000)
  })

  it('is closed by whatever comes, at once', () => {
    scene.pass(2_000)
    scene.answer()
    expect([scene.link.state, scene.link.admits(scene.nowMs), scene.link.retryAfterMs]).toEqual([
      'closed',
      true,
      0,
    ])
    expect(messages.at(-1)).toEqual({ from: 'open', to: 'closed', cause: 'answered', node: 'node' })
  })

  it('is closed by bytes of a part of an answer', () => {
    scene.bytes++
    scene.pass(200)
    expect(scene.link.state).toBe('closed')
  })

  it('is not closed by a new connection that is not ready, and is by one that is, also if nobody tells', () => {
    scene.stream = {}
    scene.isReady = false
    expect(scene.link.admits(scene.nowMs)).toBe(false)
    scene.isReady = true
    expect(scene.link.admits(scene.nowMs)).toBe(true)
    expect(scene.link.state).toBe('closed')
  })

  it('is cut once when the silence has lasted for too long, and opens no second time by it', () => {
    scene.pass(3_999)
    expect(scene.cuts).toBe(0)
    scene.pass(1)
    expect(scene.cuts).toBe(1)
    for (let i = 0; i < 3; i++) scene.link.lost()
    scene.pass(10_000)
    expect([scene.cuts, scene.isWatched]).toEqual([1, false])
    scene.stream = {}
    scene.isReady = true
    expect(scene.link.admits(scene.nowMs)).toBe(true)
    expect(messages.map(({ to }) => to)).toEqual(['open', 'closed'])
  })
})

describe('a connection', () => {
  it('on which nobody said anything for a long time is cut as soon as it counts as silent', () => {
    scene.pass(10_001)
    scene.write()
    scene.pass(1_000)
    expect([scene.link.state, scene.cuts]).toEqual(['open', 1])
  })

  it('that was in use a moment ago is not', () => {
    scene.pass(9_000)
    scene.write()
    scene.pass(1_000)
    expect([scene.link.state, scene.cuts]).toEqual(['open', 0])
  })

  it('that is lost opens it, and what was owed is forgotten', () => {
    scene.write(2)
    scene.stream = undefined
    scene.isReady = false
    scene.link.lost()
    scene.link.lost()
    expect(scene.link.state).toBe('open')
    expect(messages.at(-1)).toMatchObject({ to: 'open', cause: 'lost' })
    scene.link.renewed(scene.nowMs)
    expect(scene.link.state).toBe('closed')
    scene.pass(100_000)
    expect(scene.isWatched).toBe(false)
  })
})

describe('a command on which the client gave up, over a connection that is there', () => {
  const giveUp = (): void => {
    scene.write()
    scene.pass(100)
    scene.link.lost()
  }

  it('is a miss: it opens nothing', () => {
    giveUp()
    expect(scene.link.state).toBe('closed')
    expect(scene.link.admits(scene.nowMs)).toBe(true)
  })

  it('ends no silence: that opens it in its time, and the connection is cut in its own', () => {
    for (let i = 0; i < 9; i++) giveUp()
    expect(scene.link.state).toBe('closed')
    scene.pass(policy.silenceMs / 4)
    expect(scene.link.state).toBe('open')
    scene.pass(policy.reconnectAfterMs)
    expect(scene.cuts).toBe(1)
    scene.stream = {}
    scene.isReady = true
    expect(scene.link.admits(scene.nowMs)).toBe(true)
    scene.pass(2 * policy.reconnectAfterMs)
    expect(scene.cuts).toBe(1)
    expect(scene.isWatched).toBe(false)
  })

  it('may be answered all the same: the bytes of that are a sign of life', () => {
    giveUp()
    scene.bytes += 5
    scene.pass(2 * policy.reconnectAfterMs)
    expect([scene.link.state, scene.cuts, scene.isWatched]).toEqual(['closed', 0, false])
  })
})
