import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import Module from 'node:module'
import type { Server } from 'node:net'
import { listenChannel } from '../process/node-internals.js'

/**
 * Runs a file as if Node had been started with it, and finds out which servers it opens.
 *
 * @param file  absolute path; an ES or CommonJS module
 * @param args  what the app sees as `process.argv.slice(2)`
 * @returns when the first server listens; servers that follow are added to the same array, and those that close leave it
 */
export async function startUnchangedApp(file: string, args: readonly string[]): Promise<Server[]> {
  const servers: Server[] = []
  const found = new Promise<Server>((resolve) => {
    diagnostics.subscribe(listenChannel, (message) => {
      const { server } = message as { server: Server }
      servers.push(server)
      // The pipe to the primary holds a process that without us would end when it has nothing left to do.
      process.channel?.ref()
      server.once('close', () => {
        servers.splice(servers.indexOf(server), 1)
        if (servers.length === 0) process.channel?.unref()
      })
      resolve(server)
    })
  })
  process.argv = [process.execPath, file, ...args]
  // As `node file` does it, for both kinds of modules: `require.main` and `import.meta.main` are what the app expects.
  ;(Module as unknown as { runMain(file: string): void }).runMain(file)
  const first = await found
  if (!first.listening) await once(first, 'listening')
  return servers
}
