import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import express4 from 'express4'
import { onTestFinished, vi } from 'vitest'
import { type AppLogger, createLogger, type LoggerOptions } from '../../src/index.js'
import { Lines } from './lines.js'

export const frameworks: [name: string, framework: typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
]

/** A logger with a destination that can be read. */
export function recorded(options: LoggerOptions = {}): { lines: Lines; logger: AppLogger } {
  const lines = new Lines()
  return { lines, logger: createLogger({ destination: lines, writeAfterMs: 0, ...options }) }
}

/** @returns the port */
export async function listen(app: http.RequestListener): Promise<number> {
  const server = http.createServer(app).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Sends a request as it stands. @returns all that comes back until the server closes */
export async function ask(
  port: number,
  path: string,
  headers: Record<string, string | string[]> = {},
  { method = 'GET', body }: { method?: string; body?: string } = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; text: string }> {
  const request = http.request({ port, host: '127.0.0.1', path, method, headers, agent: false })
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode!, headers: response.headers, text }
}

/** The lines, once there are so many. */
export async function untilLines(lines: Lines, count: number): Promise<Record<string, unknown>[]> {
  await vi.waitFor(() => {
    if (lines.all.length < count) throw new Error(`${lines.all.length} of ${count} lines:\n${lines.text}`)
  })
  return lines.all
}
