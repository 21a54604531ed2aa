import { afterEach, expect, it } from 'vitest'
import { memoryStore, type SessionOptions, session } from '../src/index.js'
import { useRedis } from './redis.js'

const redis = useRedis()
const { NODE_ENV } = process.env

afterEach(() => {
  process.env.NODE_ENV = NODE_ENV
})

it.each<[string, () => SessionOptions, RegExp]>([
  ['an unknown name', () => ({ idleTimeout: 1 }) as SessionOptions, /idleTimeoutMs/],
  ['a wrong unit', () => ({ idleTimeoutMs: 1.5 }), /whole number of milliseconds/],
  [
    'an idle timeout above the absolute one',
    () => ({ idleTimeoutMs: 2, absoluteTimeoutMs: 1 }),
    /must not be above/,
  ],
  ['two stores', () => ({ redis: redis.client, store: memoryStore() }), /not both/],
  ['a prefix that nothing reads', () => ({ prefix: 'a', store: memoryStore() }), /`prefix`, not both/],
  ['no client', () => ({ redis: {} as never }), /ioredis client/],
  ['a prefix that could be another key', () => ({ prefix: 'a b' }), /prefix/],
  ['a quota without a rule', () => ({ maxPerUser: { quota: 1 } as never }), /evict/],
  ['no transport', () => ({ transport: [] }), /transport/],
  ['a policy that is none', () => ({ conflict: 'first' as never }), /conflict/],
])('refuses %s', (_name, options, message) => {
  expect(() => session(options())).toThrow(message)
})

it('keeps sessions in this process only where one process is likely, or meant', () => {
  process.env.NODE_ENV = 'production'
  expect(() => session()).toThrow(/allowMemoryStore/)
  expect(() => session({ allowMemoryStore: true })).not.toThrow()
  expect(() => session({ redis: redis.client })).not.toThrow()
})
