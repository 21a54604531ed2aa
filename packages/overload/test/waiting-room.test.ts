import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Sojourn } from '../src/queue/sojourn.js'
import { type Priority, type Waiting, WaitingRoom } from '../src/queue/waiting-room.js'

interface Guest extends Waiting {
  id: number
}

const guest = (id: number, priority: Priority = 1, partition = ''): Guest => ({
  id,
  priority,
  partition,
  hasLeft: false,
})
const none = (): number => 0

it('takes the most important first, and of those the oldest or the newest', () => {
  const room = new WaitingRoom<Guest>(10)
  for (const one of [guest(1, 2), guest(2, 1), guest(3, 1), guest(4, 0), guest(5, 1)]) room.add(one)
  const order = (['oldest', 'oldest', 'newest', 'newest', 'oldest'] as const).map(
    (which) => room.take(which, none)!.id,
  )
  expect(order).toEqual([4, 2, 5, 3, 1])
  expect(room.take('oldest', none)).toBeUndefined()
})

it('takes from the partition that has the least running, in turns where they are even', () => {
  const room = new WaitingRoom<Guest>(10)
  for (const one of [
    guest(1, 1, 'a'),
    guest(2, 1, 'a'),
    guest(3, 1, 'a'),
    guest(4, 1, 'b'),
    guest(5, 1, 'b'),
  ])
    room.add(one)
  expect(room.take('oldest', (partition) => (partition === 'a' ? 3 : 1))!.partition).toBe('b')
  const turns = [1, 2, 3, 4].map(() => room.take('oldest', none)!.partition)
  expect(turns.join('')).toBe('abaa')
})

it('gives the place of the least important to who is more so, and none to who is less', () => {
  const room = new WaitingRoom<Guest>(2)
  expect(room.add(guest(1, 2))).toBeUndefined()
  expect(room.add(guest(2, 1))).toBeUndefined()
  const newcomer = guest(3, 3)
  expect(room.add(newcomer)).toBe(newcomer)
  expect(room.add(guest(4, 0))!.id).toBe(1)
  expect(room.add(guest(5, 0))!.id).toBe(2)
  expect(room.size).toBe(2)
})

it('makes the largest partition pay when it is full', () => {
  const room = new WaitingRoom<Guest>(3)
  for (const one of [guest(1, 1, 'a'), guest(2, 1, 'a'), guest(3, 1, 'b')]) room.add(one)
  expect(room.add(guest(4, 1, 'b'))!.id).toBe(1)
})

it('loses nobody and holds its bound, whatever comes (generated)', () => {
  const step = fc.oneof(
    fc.record({ add: fc.constantFrom<Priority>(0, 1, 2, 3), partition: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ take: fc.constantFrom<'oldest' | 'newest'>('oldest', 'newest') }),
    fc.record({ sweep: fc.nat(4) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (steps, capacity) => {
      const room = new WaitingRoom<Guest>(capacity)
      const waiting = new Map<number, Guest>()
      let id = 0
      for (const one of steps) {
        if ('add' in one) {
          const newcomer = guest(id++, one.add, one.partition)
          waiting.set(newcomer.id, newcomer)
          const displaced = room.add(newcomer)
          if (displaced !== undefined) {
            expect(waiting.delete(displaced.id)).toBe(true)
            expect(displaced.priority).toBe(
              Math.max(...[...waiting.values(), displaced].map(({ priority }) => priority)),
            )
          }
        } else if ('take' in one) {
          const taken = room.take(one.take, none)
          expect(taken === undefined).toBe(waiting.size === 0)
          if (taken === undefined) continue
          expect(taken.priority).toBe(Math.min(...[...waiting.values()].map(({ priority }) => priority)))
          expect(waiting.delete(taken.id)).toBe(true)
        } else {
          const removed = room.sweep((each) => each.id % 5 === one.sweep)
          expect(new Set(removed.map((each) => each.id))).toEqual(
            new Set([...waiting.keys()].filter((each) => each % 5 === one.sweep)),
          )
          for (const each of removed) waiting.delete(each.id)
        }
        expect(room.size).toBe(waiting.size)
        expect(room.size).toBeLessThanOrEqual(capacity)
      }
    }),
  )
})

it('lets wait for long as long as the queue empties now and then, and for a moment when it does not', () => {
  const sojourn = new Sojourn(100, 10, 1_000)
  expect(sojourn.longest(1_100)).toBe(100)
  expect(sojourn.isOverloaded(1_101)).toBe(true)
  expect(sojourn.longest(1_101)).toBe(10)
  sojourn.emptied(1_200)
  expect(sojourn.longest(1_300)).toBe(100)
})
