/**
 * What runs in a thread: it loads the module of the app and answers one order after another. It is text, so that no file
 * of this package has to be found by a path, whatever a bundler has made of it.
 */
export const bootstrap = `
const { parentPort, workerData } = require('node:worker_threads')

const lists = new WeakMap()
const context = {
  transfer(value, list) {
    lists.set(value, list)
    return value
  },
}

function reply(message, list) {
  parentPort.postMessage(message, list)
}

function copyOf(error) {
  const copy = new Error(String(error && error.message))
  copy.stack = String(error && error.stack)
  return copy
}

function replyError(error) {
  try {
    // Node 20 loses the message of a DOMException on the way.
    reply({ kind: 'error', error: error instanceof DOMException ? copyOf(error) : error })
  } catch {
    // It holds something that no other thread can have, such as a function.
    reply({ kind: 'error', error: copyOf(error) })
  }
}

import(workerData.module).then((module) => {
  parentPort.on('message', async ({ name, input }) => {
    try {
      if (!Object.hasOwn(module, name) || typeof module[name] !== 'function') {
        throw new TypeError('The module exports no function ' + name + '.')
      }
      const value = await module[name](input, context)
      reply({ kind: 'value', value }, Object(value) === value ? lists.get(value) : undefined)
    } catch (error) {
      replyError(error)
    }
  })
  reply({ kind: 'ready' })
})
`
