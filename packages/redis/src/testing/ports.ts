import { createServer } from 'node:net'

// Below the range that systems hand out by themselves (from 32768 on Linux, 49152 elsewhere): a server that is
// restarted on its port finds it free. A cluster node also listens on its port + 10,000.
const FIRST = 10_000
const LAST = 22_000
const BUS_OFFSET = 10_000

const handedOut = new Set<number>()

/**
 * A free TCP port of 127.0.0.1, not handed out before by this process, whose cluster bus port is free as well.
 * Another process may take it before it is used: be ready to ask again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (handedOut.has(port)) continue
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) {
      handedOut.add(port)
      return port
    }
  }
  throw new Error(`no free port found between ${FIRST} and ${LAST} on 127.0.0.1`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
