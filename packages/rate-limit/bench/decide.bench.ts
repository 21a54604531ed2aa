// What a decision costs the server: CPU per request on top of what bare Express spends on an answer of 300 bytes of JSON; for
// refusals, on top of what it spends when the app itself refuses.
import { compareServers, printOnTop } from '@scale/devkit/bench'
import { variants } from './variants.js'

const module = new URL('variants.ts', import.meta.url).href
printOnTop(await compareServers({ module, variants, connections: 64 }), variants, 'a bare Express 5 answer')
