/** What pino tells of a line to whoever wants to know. */
export interface LineMetadata {
  lastLevel: number
  lastObj: object
  lastMsg: string | undefined
  lastTime: string
  lastLogger: object
}

/** Takes lines to their destination. */
export interface LineSink {
  /** Never throws. */
  write(line: string, about: LineMetadata): void
  /** @throws {LogStalled} the destination does not take them within `timeoutMs` */
  flush(timeoutMs: number): Promise<void>
  flushSync(): void
}
