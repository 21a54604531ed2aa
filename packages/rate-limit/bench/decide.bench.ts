// What a decision costs: in a server, as CPU per request on top of what bare Express spends on an answer of 300 bytes of JSON (for
// refusals, on top of what it spends when the app itself refuses); and as a call, without one.
import { compareCalls, compareServers, printOnTop, shareOf, spreadOf, spreadText } from '@scale/devkit/bench'
import { variants as callVariants } from './calls.js'
import { variants } from './variants.js'

const module = new URL('variants.ts', import.meta.url).href
const costs = await compareServers({ module, variants, connections: 64 })
printOnTop(costs, variants, 'a bare Express 5 answer')

const PEER = 'rate-limiter-flexible'
const calls = await compareCalls({
  module: new URL('calls.ts', import.meta.url).href,
  variants: callVariants,
  only: Object.keys(callVariants),
  connections: 64,
})
const answerMicros = spreadOf(costs.get('bare')!).median
console.log(
  `\nA decision without a server: µs of CPU, as a share of that answer, and of what ${PEER} takes for it:`,
)
for (const name of calls.keys()) {
  if (name === 'nothing') continue
  const own = calls.get(name)!.map((cost, generation) => cost - calls.get('nothing')![generation]!)
  const { median } = spreadOf(own)
  const shares = `${median.toFixed(1).padStart(6)}  ${(median / answerMicros).toFixed(3)}`
  console.log(`${shares} ${spreadText(shareOf(calls, name, PEER, 'nothing'))}  ${name}`)
}
process.exit()
