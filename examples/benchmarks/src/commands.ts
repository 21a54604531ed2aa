import { Contestant, LoadClient } from '@scale/devkit/bench'
import { countCommands } from './command-counter.js'
import { variants } from './stacks.js'

const CONNECTIONS = 16

/**
 * Redis commands for one request of a stack, once it is warm.
 *
 * @throws {Error} an answer is not what the stack is meant to give
 */
export async function commandsPerRequest(
  name: string,
  redis: { host: string; port: number },
  requests: number,
): Promise<number> {
  const { requests: asking, answer } = variants[name]!
  const counter = await countCommands(redis)
  const module = new URL('stacks.ts', import.meta.url).href
  const contestant = await Contestant.start(module, name, counter.url, { sources: true })
  try {
    const { port } = contestant
    const request = await asking!(`http://127.0.0.1:${port}`)
    const onAnswer = (text: string): void => {
      if (!answer!.test(text)) throw new Error(`${name} answered ${text.slice(0, 200)}`)
    }
    const client = await LoadClient.connect(port, CONNECTIONS)
    await client.send({ requests, request, onAnswer })
    const before = counter.commands
    await client.send({ requests, request, onAnswer })
    client.close()
    return (counter.commands - before) / requests
  } finally {
    await contestant.stop()
    counter.close()
  }
}
