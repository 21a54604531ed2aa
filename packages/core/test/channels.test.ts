import diagnostics from 'node:diagnostics_channel'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { channel } from '../src/index.js'

describe('channel', () => {
  it('reaches whoever listens under the same name, in this tick', () => {
    const seen: unknown[] = []
    const one = channel<{ value: number }>('scale:core:one')
    expect(one.hasSubscribers).toBe(false)
    const stop = channel<{ value: number }>('scale:core:one').subscribe((message) => seen.push(message.value))
    const plain = (message: unknown): void => {
      seen.push(message)
    }
    diagnostics.subscribe('scale:core:one', plain)
    expect(one.hasSubscribers).toBe(true)
    one.publish({ value: 1 })
    expect(seen).toEqual([1, { value: 1 }])
    stop()
    stop()
    diagnostics.unsubscribe('scale:core:one', plain)
    expect(one.hasSubscribers).toBe(false)
    one.publish({ value: 2 })
    expect(seen).toHaveLength(2)
  })

  it('knows the type of its messages', () => {
    const typed = channel<{ value: number }>('scale:core:typed')
    expectTypeOf(typed.publish).parameter(0).toEqualTypeOf<{ value: number }>()
    // @ts-expect-error a name has a package and an event
    channel('other')
  })
})
