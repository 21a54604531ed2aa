import { Writable } from 'node:stream'

/** A destination that keeps what it gets; it can be told to stall. */
export class Lines extends Writable {
  text = ''
  isStalled = false
  private taken: (() => void)[] = []

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = (): void => {
      this.text += chunk.toString()
      done()
    }
    if (this.isStalled) this.taken.push(take)
    else take()
  }

  /** Takes what it was given while it stalled, and goes on. */
  resumeTaking(): void {
    this.isStalled = false
    for (const take of this.taken.splice(0)) take()
  }

  get all(): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}
