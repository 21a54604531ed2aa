// What the tests use of it.
declare module 'ws' {
  import { EventEmitter } from 'node:events'
  import type { Server } from 'node:http'

  export class WebSocket extends EventEmitter {
    static readonly OPEN: number
    readonly OPEN: number
    readonly readyState: number
    constructor(url: string)
    send(data: string): void
    close(code: number): void
  }

  export class WebSocketServer extends EventEmitter<{ connection: [WebSocket] }> {
    constructor(options: { server: Server })
  }
}
