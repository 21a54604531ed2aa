import type { RedisServer } from './server.js'

/** What a server reports of itself in `field:value` lines, by INFO or CLUSTER INFO; '' for a field it has not. */
export async function report(server: RedisServer, ...command: string[]): Promise<(field: string) => string> {
  const text = String(await server.command(...command))
  const fields = new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]))
  return (field) => fields.get(field) ?? ''
}
