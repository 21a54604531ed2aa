import { randomBytes } from 'node:crypto'
import express from 'express'
import { describe, expect, it } from 'vitest'
import { sealedCodec } from '../src/data/encryption.js'
import { type SessionOptions, session, unreadableChannel } from '../src/index.js'
import { listen } from './app.js'
import { useRedis } from './redis.js'

const redis = useRedis()
const old = { id: '2026-10', key: randomBytes(32) }
const current = { id: '2026-11', key: randomBytes(32).toString('base64') }

describe('sealedCodec', () => {
  const codec = sealedCodec({ keys: [current, old] })
  const sealed = codec.encode('"secret é"', 'session-1', 'field')

  it('opens what it sealed, and seals nothing twice the same', () => {
    expect(sealed).toMatch(/^e1\.2026-11\.[\w-]+$/)
    expect(codec.decode(sealed, 'session-1', 'field')).toBe('"secret é"')
    expect(codec.encode('"secret é"', 'session-1', 'field')).not.toBe(sealed)
  })
  it('opens by every key of the ring, and by no other', () => {
    const older = sealedCodec({ keys: [old] })
    expect(codec.decode(older.encode('1', 's', 'f'), 's', 'f')).toBe('1')
    expect(older.decode(sealed, 'session-1', 'field')).toBeUndefined()
  })
  it('opens nothing in another session or field, and nothing that was changed', () => {
    expect(codec.decode(sealed, 'session-2', 'field')).toBeUndefined()
    expect(codec.decode(sealed, 'session-1', 'other')).toBeUndefined()
    const at = 'e1.2026-11.'.length
    for (let i = at; i < sealed.length - 1; i++) {
      const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1)
      expect(codec.decode(changed, 'session-1', 'field')).toBeUndefined()
    }
    for (const text of ['', 'e1', 'e1.', 'e1.2026-11', 'e1.2026-11.AAAA', 'e2.2026-11.AAAA']) {
      expect(codec.decode(text, 'session-1', 'field')).toBeUndefined()
    }
  })
  it('reads what was stored in the clear only if told to', () => {
    expect(codec.decode('"plain"', 's', 'f')).toBeUndefined()
    expect(sealedCodec({ keys: [current], acceptPlain: true }).decode('"plain"', 's', 'f')).toBe('"plain"')
  })
})

describe('a session with encryption', () => {
  const options = (part: SessionOptions<Record<string, unknown>>) => ({
    redis: redis.client,
    prefix: 'sealed',
    ...part,
  })
  it('leaves nothing readable in Redis, and reads it back', async () => {
    const sessions = session(options({ encryption: { keys: [current] } }))
    const first = await sessions.load({})
    first.data.card = 'visible-4711'
    const { token } = await first.login('ann')
    const [key] = await redis.client.keys('sealed:session:1:*:session:*')
    const stored = await redis.client.hgetall(key!)
    expect(JSON.stringify(stored)).not.toContain('4711')
    const again = await sessions.load({ cookie: `__Host-session=${token}` })
    expect(again.data).toEqual({ card: 'visible-4711' })
    again.data.card = 'changed'
    await again.save()
    expect((await sessions.load({ cookie: `__Host-session=${token}` })).data).toEqual({ card: 'changed' })
  })
  it('seals address and agent as well', async () => {
    const sessions = session({ ...options({ encryption: { keys: [current] } }), clientInfo: true })
    const app = express()
    app.post('/', sessions, async (req, res) => {
      await req.session.login('agent')
      res.json({})
    })
    const running = await listen(app)
    await running.send('POST', '/', { 'user-agent': 'Visible/1.0' })
    await running.close()
    expect(await sessions.of('agent').list()).toMatchObject([{ address: '127.0.0.1', agent: 'Visible/1.0' }])
    const keys = await redis.client.keys('sealed:session:1:*:session:*')
    const stored = await Promise.all(keys.map((key) => redis.client.hgetall(key)))
    expect(JSON.stringify(stored)).not.toMatch(/Visible|127\.0/)
  })
  it('leaves out what no key opens, says so, and does not destroy it', async () => {
    const sessions = session(options({ encryption: { keys: [current] } }))
    const first = await sessions.load({})
    first.data.card = 'kept'
    const { token } = await first.login('bob')
    const cookie = `__Host-session=${token}`
    const lost: unknown[] = []
    const stop = unreadableChannel.subscribe((message) => lost.push(message))
    const other = await session(options({ encryption: { keys: [old] } })).load({ cookie })
    expect([other.userId, other.data]).toEqual(['bob', {}])
    other.data.note = 1
    await other.save()
    stop()
    expect(lost).toEqual([{ id: first.id, userId: 'bob', reason: 'encryption', keys: ['card'] }])
    const both = await session(options({ encryption: { keys: [current, old] } })).load({ cookie })
    expect(both.data).toEqual({ card: 'kept', note: 1 })
  })
  it('refuses keys that are none, without showing them', () => {
    const key = 'c2VjcmV0'
    for (const keys of [[], [{ id: 'a', key }], [{ id: 'a b', key: randomBytes(32) }], [old, old]]) {
      const make = () => session(options({ encryption: { keys } }))
      expect(make).toThrow(/encryption/)
      expect(make).not.toThrow(key)
    }
  })
})
