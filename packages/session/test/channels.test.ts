import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compose, prefetch } from '@scale/core'
import express from 'express'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createdChannel,
  destroyedChannel,
  failureChannel,
  memoryStore,
  type OpenedMessage,
  openedChannel,
  refusedChannel,
  renewedChannel,
  requireSession,
  revokedChannel,
  type SessionStore,
  session,
} from '../src/index.js'
import { listen } from './app.js'

let nowMs = 1_800_000_000_000
const stops: (() => void)[] = []

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Everything that is published from now on, as `[event, message]`. */
function published(): [string, unknown][] {
  const messages: [string, unknown][] = []
  for (const channel of [createdChannel, renewedChannel, destroyedChannel, revokedChannel, refusedChannel]) {
    stops.push(channel.subscribe((message) => messages.push([channel.name.split(':')[2]!, message])))
  }
  return messages
}

const headers = (token: string) => ({ cookie: `__Host-session=${token}` })

function make(store: SessionStore = memoryStore({ clock: () => nowMs })) {
  return session<Record<string, unknown>>({
    store,
    idleTimeoutMs: 10_000,
    absoluteTimeoutMs: 20_000,
    renewGraceMs: 1_000,
  })
}

describe('channels', () => {
  it("tell a session's life, and never a token", async () => {
    const sessions = make()
    const messages = published()
    const one = await sessions.load({})
    one.data.x = 1
    await one.save()
    const visitor = one.id
    const first = await one.login('ann')
    const { id } = one
    const second = await one.renew()
    const third = await one.elevate()
    await sessions.load(headers('x'))
    await sessions.load(headers('A'.repeat(79)))
    await sessions.load(headers(second.token))
    await one.destroy()
    await sessions.load(headers(third.token))
    const other = await sessions.load({})
    await other.login('bob')
    await sessions.of('bob').revokeAll()
    expect(messages).toEqual([
      ['created', { id: visitor, userId: undefined, by: 'data' }],
      ['destroyed', { id: visitor, userId: undefined, by: 'login' }],
      ['created', { id, userId: 'ann', by: 'login' }],
      ['renewed', { id, userId: 'ann', by: 'call' }],
      ['renewed', { id, userId: 'ann', by: 'elevate' }],
      ['refused', { reason: 'malformed', id: undefined }],
      ['refused', { reason: 'forged', id: undefined }],
      ['refused', { reason: 'secret', id }],
      ['destroyed', { id, userId: 'ann', by: 'destroy' }],
      ['refused', { reason: 'ended', id }],
      ['created', { id: expect.any(String), userId: 'bob', by: 'login' }],
      ['revoked', { userId: 'bob', by: 'all', count: 1 }],
    ])
    const text = JSON.stringify(messages)
    for (const { token } of [first, second, third]) expect(text).not.toContain(token.slice(36))
  })

  it('say what came of the tokens of a request, and how long it took', async () => {
    const inner = memoryStore({ clock: () => nowMs })
    const sessions = session<Record<string, unknown>>({
      store: { ...inner, load: async (ref, use) => inner.load(ref, use) },
    })
    const one = await sessions.load({})
    const { token } = await one.login('ann')
    const opened: OpenedMessage[] = []
    stops.push(openedChannel.subscribe((message) => opened.push(message)))
    await sessions.load({})
    await sessions.load(headers(token))
    await sessions.load(headers('x'))
    expect(opened).toEqual([
      { outcome: 'opened', durationMs: expect.any(Number) },
      { outcome: 'refused', durationMs: expect.any(Number) },
    ])
    expect(JSON.stringify(opened)).not.toContain('ann')
    expect(opened.every(({ durationMs }) => durationMs >= 0)).toBe(true)
  })

  it('say why a token opens nothing', async () => {
    const inner = memoryStore({ clock: () => nowMs })
    // What a store has not removed yet: past its time, or out of the index.
    let judged = {}
    const store: SessionStore = {
      load: (ref, use) => {
        const loaded = inner.load(ref, use) as Exclude<ReturnType<typeof inner.load>, Promise<unknown>>
        return typeof loaded === 'object' ? { ...loaded, ...judged } : loaded
      },
      create: inner.create,
      write: inner.write,
      end: inner.end,
      list: inner.list,
      endAll: inner.endAll,
    }
    const sessions = make(store)
    const one = await sessions.load({})
    const { token } = await one.login('ann')
    const messages = published()
    for (judged of [{ nowMs: nowMs + 10_000 }, { nowMs: nowMs + 20_000 }, { listed: false }]) {
      expect((await sessions.load(headers(token))).isNew).toBe(true)
    }
    judged = {}
    const renewed = await one.renew()
    await sessions.load(headers(renewed.token))
    nowMs += 1_000
    await sessions.load(headers(token))
    expect(messages.map(([, message]) => (message as { reason?: string }).reason ?? 'renewal')).toEqual([
      'idle',
      'absolute',
      'revoked',
      'renewal',
      'renewed',
    ])
  })

  it('report a save that nobody awaited, or else a warning does, once', async () => {
    const failing = memoryStore()
    failing.create = async () => {
      throw new Error('no room')
    }
    const app = express()
    app.use(session({ store: failing, save: 'background' }))
    app.get('/', (req, res) => {
      req.session.data = { x: 1 }
      res.json({})
    })
    const running = await listen(app)
    const seen: unknown[] = []
    const stop = failureChannel.subscribe((message) => seen.push(message))
    expect((await running.send('GET', '/')).status).toBe(200)
    await expect.poll(() => seen).toEqual([{ operation: 'save', error: new Error('no room') }])
    stop()
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await running.send('GET', '/')
    await running.send('GET', '/')
    await running.close()
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('no room'), {
      code: 'SCALE_SESSION_FAILURE',
    })
    warn.mockRestore()
  })
})

describe('early reads', () => {
  it('are started once, and found again', async () => {
    const inner = memoryStore()
    const load = vi.fn((...[ref, use]: Parameters<SessionStore['load']>) =>
      Promise.resolve(inner.load(ref, use)),
    )
    const store: SessionStore = { ...bound(inner), load }
    const sessions = make(store)
    const { token } = await (await sessions.load({})).login('ann')
    const order: string[] = []
    const other = Object.assign(
      (_req: object, _res: object, next: () => void) => {
        order.push(`other runs after ${load.mock.calls.length} loads`)
        next()
      },
      { [prefetch]: () => order.push(`other starts after ${load.mock.calls.length} loads`) },
    )
    const app = express()
    app.get('/', compose(sessions, requireSession(), other), sessions, (req, res) => {
      res.json(req.session.userId)
    })
    const running = await listen(app)
    expect((await running.send('GET', '/', headers(token))).body).toBe('ann')
    expect((await running.send('GET', '/')).status).toBe(401)
    await running.close()
    expect(load).toHaveBeenCalledOnce()
    expect(order).toEqual([
      'other starts after 1 loads',
      'other runs after 1 loads',
      'other starts after 1 loads',
    ])
  })
})

it('a WebSocket upgrade opens its session by the headers', async () => {
  const sessions = make()
  const { token } = await (await sessions.load({})).login('ann')
  const server = createServer()
  server.on('upgrade', async (req, socket) => {
    const { userId = 'nobody' } = await sessions.load(req.headers)
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-User: ${userId}\r\n\r\n`,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const user = async (more: Record<string, string>) => {
    const { port } = server.address() as AddressInfo
    const sent = request({
      port,
      host: '127.0.0.1',
      headers: { connection: 'Upgrade', upgrade: 'websocket', ...more },
    })
    sent.end()
    const [res] = await once(sent, 'upgrade')
    return res.headers['x-user']
  }
  expect(await user(headers(token))).toBe('ann')
  expect(await user({})).toBe('nobody')
  server.close()
})

function bound(store: SessionStore): SessionStore {
  return {
    load: (ref, use) => store.load(ref, use),
    create: store.create,
    write: store.write,
    end: store.end,
    list: store.list,
    endAll: store.endAll,
  }
}
