// What the tests use of it.
declare module 'ws' {
  import { EventEmitter } from 'node:events'

  export class WebSocket extends EventEmitter {
    readonly OPEN: number
    readonly readyState: number
    constructor(url: string)
    send(data: string): void
    close(code: number): void
  }
}
