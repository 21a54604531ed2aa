import { execFile } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { type RequestContext, requestContext, runInRequestContext } from '../../src/index.js'

const context: RequestContext = {
  requestId: 'r1',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  sampled: false,
}

it('is undefined outside a request', () => {
  expect(requestContext()).toBeUndefined()
})

it('is found by whatever the callback starts, and by nothing else', async () => {
  const other = { ...context, requestId: 'r2' }
  const read = async (): Promise<unknown> => {
    await setImmediate()
    return requestContext()
  }
  expect(await Promise.all([runInRequestContext(context, read), runInRequestContext(other, read)])).toEqual([
    context,
    other,
  ])
  expect(requestContext()).toBeUndefined()
})

it('is shared by two copies of this package', async () => {
  const copy = (await import(
    '../../src/request/context.js?copy' as string
  )) as typeof import('../../src/index.js')
  expect(copy.requestContext).not.toBe(requestContext)
  expect(runInRequestContext(context, () => copy.requestContext())).toBe(context)
})

it('turns no asynchronous hook on until a context is opened', async () => {
  const source = fileURLToPath(new URL('../../src/request/context.ts', import.meta.url))
  const program = `
    import { requestContext } from ${JSON.stringify(source)}
    requestContext()
    console.log(Symbol.for('@scale/request-context') in globalThis)`
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--import', 'tsx', '--input-type=module'],
    ...['--eval', program],
  ])
  expect(stdout.trim()).toBe('false')
})
