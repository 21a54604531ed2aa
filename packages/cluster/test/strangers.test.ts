import { Agent, request } from 'node:http'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { io } from 'socket.io-client'
import { describe, test } from 'vitest'
import { WebSocket } from 'ws'
import { compile, freePort, launch, temporaryFolder } from './app-process.js'

const fixture = fileURLToPath(new URL('fixtures/strangers.mjs', import.meta.url))

/** What one client has sent, what was answered, and why what was not. */
interface Tally {
  sent: number
  answered: number
  lost: string[]
}

/** Sends one after the other, numbered, until `isOver`. */
type Client = (port: number, tally: Tally, isOver: () => boolean) => Promise<void>

const path = (name: string): string => (name === 'graphql-yoga' ? '/graphql?query=%7Bpid%7D' : '/')

function http(name: string): Client {
  return async (port, tally, isOver) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!isOver()) {
      await counted(
        tally,
        () =>
          new Promise<void>((resolve, reject) => {
            request({ port, host: '127.0.0.1', path: path(name), agent }, (response) => {
              let text = ''
              response.on('data', (chunk) => {
                text += chunk
              })
              response.once('error', reject)
              response.once('end', () => (/\d+/.test(text) ? resolve() : reject(new Error(text))))
            })
              .once('error', reject)
              .end()
          }),
      )
      await sleep(5)
    }
    agent.destroy()
  }
}

const http2: Client = async (port, tally, isOver) => {
  let session: ClientHttp2Session | undefined
  const open = (): ClientHttp2Session => {
    const opened = connect(`http://127.0.0.1:${port}`)
    opened.on('error', () => {})
    opened.once('goaway', () => {
      session = undefined
      opened.close()
    })
    return opened
  }
  const send = (): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      session ??= open()
      const stream = session.request({ ':path': '/' })
      let text = ''
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.once('error', (error) => {
        // Nobody has begun with it, and clients send it again by themselves (RFC 9113 §8.7).
        if (stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM) return reject(error)
        session = undefined
        resolve(send())
      })
      stream.once('end', () => (/\d+/.test(text) ? resolve() : reject(new Error('cut'))))
    })
  while (!isOver()) {
    await counted(tally, send)
    await sleep(5)
  }
  session?.close()
}

/** What it may not see is a connection that just breaks: each ends with 1001, and it comes back. */
const webSocket: Client = async (port, tally, isOver) => {
  while (!isOver()) {
    await counted(
      tally,
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = new WebSocket(`ws://127.0.0.1:${port}`)
          const poll = setInterval(() => {
            if (isOver() && socket.readyState === socket.OPEN) socket.close(1000)
          }, 20)
          socket.once('error', reject)
          socket.once('open', () => socket.send('1'))
          socket.on('message', (data) =>
            setTimeout(() => socket.readyState === socket.OPEN && socket.send(`${Number(data) + 1}`), 5),
          )
          socket.once('close', (code) => {
            clearInterval(poll)
            if (code === 1001 || (code === 1000 && isOver())) resolve()
            else reject(new Error(`closed with ${code}`))
          })
        }),
    )
  }
}

const socketIo: Client = async (port, tally, isOver) => {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports: ['polling'],
    retries: 20,
    ackTimeout: 1_000,
    reconnectionDelay: 50,
  })
  while (!isOver()) {
    const number = tally.sent + 1
    await counted(tally, async () => {
      if ((await socket.emitWithAck('number', number)) !== number) throw new Error('another answer')
    })
    await sleep(5)
  }
  socket.disconnect()
}

async function counted(tally: Tally, send: () => Promise<void>): Promise<void> {
  tally.sent++
  try {
    await send()
    tally.answered++
  } catch (error) {
    tally.lost.push(String(error))
  }
}

/** Whether it does something of its own at its end, and what its client is. */
const strangers: [name: string, flushes: boolean, client: Client, ...flags: string[]][] = [
  ['express', true, http('express')],
  ['fastify', true, http('fastify')],
  ['koa', false, http('koa')],
  ['hono', true, http('hono')],
  ['nest', true, http('nest')],
  ['socket.io', true, socketIo, '--sticky'],
  ['ws', false, webSocket],
  ['http2', true, http2],
  ['graphql-yoga', false, http('graphql-yoga')],
  ['polka', false, http('polka')],
]

// Ten times four processes that load what they need: on a busy machine that takes its time.
describe.concurrent('an app of', { timeout: 120_000 }, () => {
  test.for(strangers)(
    '%s: a reload loses nothing, and each process ends as its own',
    async ([name, flushes, client, ...flags], { expect }) => {
      const port = await freePort()
      const control = join(temporaryFolder(), 'control.sock')
      const command = [
        await compile('src/cli/bin'),
        '--workers',
        '2',
        '--control',
        control,
        '--canary-ms',
        '50',
        ...flags,
      ]
      const app = launch(process.execPath, [...command, fixture, name], { env: { PORT: String(port) } })
      const says = (text: string): Promise<void> =>
        app.until(() => app.other.some((line) => line.includes(text)), text, 60_000)
      await says('workers ready')

      const tally: Tally = { sent: 0, answered: 0, lost: [] }
      let isOver = false
      const clients = [1, 2].map(() => client(port, tally, () => isOver))
      process.kill(app.pid, 'SIGHUP')
      await says('reload done')
      isOver = true
      await Promise.all(clients)
      expect(tally.lost).toEqual([])
      expect(tally.answered).toBe(tally.sent)
      expect(tally.sent).toBeGreaterThan(1)

      process.kill(app.pid, 'SIGTERM')
      expect(await app.ended()).toEqual({ code: 0, signal: null })
      const listened = app.of('listening').map(({ pid }) => pid)
      expect(listened).toHaveLength(4)
      expect(new Set(app.of('flushed').map(({ pid }) => pid))).toEqual(new Set(flushes ? listened : []))
      expect(app.of('flushed')).toHaveLength(flushes ? 4 : 0)
    },
  )
})
