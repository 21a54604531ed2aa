// What validation costs the server: CPU per request on top of what Express spends on the same request with a parsed body
// and no validation.
import { compareServers, printOnTop } from '@scale/devkit/bench'
import { variants } from './variants.js'

const module = new URL('variants.ts', import.meta.url).href
printOnTop(
  await compareServers({ module, variants }),
  variants,
  'an Express 5 request with a parsed JSON body',
)
