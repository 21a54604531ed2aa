import { once } from 'node:events'
import { createServer, get } from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type RequestRecord, requestRecord } from '@scale/core'
import { expect, test } from 'vitest'
import { drain, trackConnections } from '../src/index.js'

test('what a drain cuts ends as a drain, over HTTP/1.1 and HTTP/2', async () => {
  const causes: string[] = []
  const tell = ({ ending }: RequestRecord): void => void causes.push(`${ending?.side} ${ending?.cause}`)
  const first = createServer((req, res) => requestRecord(req, res).onEnd(tell))
  const second = http2.createServer((req, res) => requestRecord(req as never, res as never).onEnd(tell))
  for (const server of [first, second]) {
    trackConnections(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
  }
  const request = get({ port: (first.address() as AddressInfo).port, host: '127.0.0.1' })
  const session = http2.connect(`http://127.0.0.1:${(second.address() as AddressInfo).port}`)
  const stream = session.request()
  for (const emitter of [request, session, stream]) emitter.on('error', () => {})
  await expect.poll(() => trackConnections(first).inFlight + trackConnections(second).inFlight).toBe(2)
  await drain([first, second], { lingerMs: 0, timeoutMs: 50 })
  await expect.poll(() => causes).toEqual(['server drain', 'server drain'])
})
