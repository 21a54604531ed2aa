import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame, type Frame, frameIdentity } from '../src/entries/frame.js'

const FRAME: Frame = {
  kind: 'coded',
  staleWhileRevalidateMs: 1_000,
  staleIfErrorMs: 2_000,
  costMs: 30,
  l1TtlMs: 400,
  id: 'identity',
  codec: 0x01020304,
  tags: [{ tag: 'täg', version: 'historyhistory01abcdefghijklABCDEFGHIJKL' }],
  compressed: true,
  body: Buffer.from('{"a":1}'),
}

/** Version 1, as released: it must be readable for as long as entries of it may be in a store. */
const VERSION_1 =
  'c5010001000007d0000003e8000007d00000001e000001906964656e7469747901020304' +
  '0001000474c3a467' +
  '686973746f7279686973746f727930316162636465666768696a6b6c4142434445464748494a4b4c7b2261223a317d'

describe('frame', () => {
  it('is written and read as version 1 lays down', () => {
    expect(encodeFrame(FRAME).toString('hex')).toBe(VERSION_1)
    expect(decodeFrame(Buffer.from(VERSION_1, 'hex'))).toEqual(FRAME)
    expect(frameIdentity(Buffer.from(VERSION_1, 'hex'))).toEqual({ graceMs: 2_000, id: 'identity' })
  })

  it('gives back what was put in', () => {
    const frames = fc.record({
      kind: fc.constantFrom('coded', 'undefined', 'bytes', 'response', 'vary', 'uncacheable') as fc.Arbitrary<
        Frame['kind']
      >,
      staleWhileRevalidateMs: fc.nat(),
      staleIfErrorMs: fc.nat(),
      costMs: fc.nat(),
      l1TtlMs: fc.nat(),
      id: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      codec: fc.nat(),
      tags: fc.array(
        fc.record({ tag: fc.string({ unit: 'grapheme' }), version: fc.constant('x'.repeat(40)) }),
      ),
      compressed: fc.boolean(),
      body: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    })
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame)
      }),
    )
  })

  it('takes no bytes for a frame that are none, and throws for none', () => {
    const prefix = Buffer.from(VERSION_1, 'hex')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(prefix.length), (tail, kept) => {
        const bytes = Buffer.concat([prefix.subarray(0, kept), tail])
        const frame = decodeFrame(bytes)
        if (frame !== undefined) expect(bytes[0]).toBe(0xc5)
      }),
    )
    for (let length = 0; length < 68; length++) {
      expect(decodeFrame(prefix.subarray(0, length))).toBeUndefined()
    }
    expect(decodeFrame(Buffer.concat([Buffer.from([0xc5, 2]), prefix.subarray(2)]))).toBeUndefined()
  })
})
