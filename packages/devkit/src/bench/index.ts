export { type Costs, compareCalls, compareServers, type Effort, type ServerContest } from './comparison.js'
export { printOnTop, type Spread, shareOf, shareOnTop, spreadOf, spreadText } from './shares.js'
export type { CallVariant, RequestText, ServerVariant, Variants } from './variant.js'
