// One variant behind one port: `server.ts`, driven over IPC.
import express from 'express'
import { VARIANTS } from './variants.js'

export type Question =
  | { readonly kind: 'cpu' }
  /** Bytes of heap and buffers that so many entries take, each. */
  | { readonly kind: 'bytes'; readonly entries: number }

const { VARIANT = '', REDIS_URL = '' } = process.env
const { handlers, fill } = await VARIANTS[VARIANT]!(REDIS_URL)
const app = express()
app.get('/:id', ...handlers)
const server = app.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as { port: number }).port })
})

process.on('message', (question: Question) => {
  if (question.kind === 'cpu') {
    const { user, system } = process.cpuUsage()
    process.send!({ cpuMicros: user + system })
  } else {
    bytesPerEntry(question.entries).then((bytes) => process.send!({ bytes }))
  }
})
process.on('disconnect', () => process.exit())

async function bytesPerEntry(entries: number): Promise<number | undefined> {
  if (fill === undefined) return undefined
  const before = taken()
  // Twice: a cache that hears of its own writes keeps what it reads afterwards.
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < entries; i++) await fill(`bytes:${i}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return (taken() - before) / entries
}

function taken(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
