import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Jwk } from '../../src/index.js'

/** A provider's key endpoint that can be told how to behave. */
export interface Provider {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly url: string
  /** Requests so far. */
  readonly requests: number
  keys: Jwk[]
  /** Answers in its own way instead. */
  answer: ((res: ServerResponse) => void) | undefined
  close(): Promise<void>
}

export async function startProvider(keys: Jwk[]): Promise<Provider> {
  let requests = 0
  const server = createServer((_req, res) => {
    requests++
    if (provider.answer !== undefined) provider.answer(res)
    else res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: provider.keys }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const provider: Provider = {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}/jwks`,
    get requests() {
      return requests
    },
    keys,
    answer: undefined,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return provider
}
