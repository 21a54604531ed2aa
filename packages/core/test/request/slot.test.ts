import { createServer, get, IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { requestSlot } from '../../src/index.js'

const request = (): IncomingMessage => new IncomingMessage(new Socket())

it('keeps a value for one request, apart from other slots and other requests', () => {
  const slot = requestSlot<number>('mine')
  const other = requestSlot<number>('mine')
  const [first, second] = [request(), request()]
  slot.set(first, 1)
  slot.set(first, 2)
  other.set(second, 3)
  expect([slot.get(first), slot.get(second), other.get(first), other.get(second)]).toEqual([
    2,
    undefined,
    undefined,
    3,
  ])
})

it('leaves what is read of the header as it was', async () => {
  const slot = requestSlot<string>('secret')
  const seen: unknown[] = []
  const server = createServer((req, res) => {
    slot.set(req, 'value')
    seen.push(
      slot.get(req),
      [...req.rawHeaders],
      req.rawHeaders.length,
      JSON.stringify(req.rawHeaders),
      Object.keys(req.headers),
    )
    res.end()
  }).listen(0)
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => {
    get({ port, headers: { host: 'x', connection: 'close' } }, resolve)
  })
  server.close()
  const raw = ['host', 'x', 'connection', 'close']
  expect(seen).toEqual(['value', raw, 4, JSON.stringify(raw), ['host', 'connection']])
})

it('takes what only looks like a request', () => {
  const slot = requestSlot<number>('mine')
  const req = { url: '/' } as IncomingMessage
  expect(slot.get(req)).toBeUndefined()
  slot.set(req, 1)
  expect(slot.get(req)).toBe(1)
})
