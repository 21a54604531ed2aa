import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { admission } from '../src/index.js'

// One process that is asked for too much. What stands in front of it is its first argument.

const require = createRequire(import.meta.url)

const guards: Record<string, () => RequestHandler> = {
  bare: () => (_req, _res, next) => next(),
  'toobusy-js': () => {
    const toobusy = require('toobusy-js') as () => boolean
    return (_req, res, next) => {
      if (toobusy()) res.status(503).end()
      else next()
    }
  },
  'overload-protection': () =>
    (require('overload-protection') as (kind: string) => RequestHandler)('express'),
  'ours, at most 20': () => admission({ limit: 20, priority: byQuery }),
  ours: () => admission({ priority: byQuery }),
}

function byQuery(req: express.Request): 0 | 1 {
  return req.query.p === '0' ? 0 : 1
}

function compute(ms: number): void {
  const endsAt = performance.now() + ms
  while (performance.now() < endsAt);
}

const app = express()
app.use(guards[process.argv[2]!]!())
for (const [path, outsideMs] of [
  ['/usual', 20],
  ['/slow', 500],
] as const) {
  app.get(path, async (_req, res) => {
    compute(1)
    await new Promise((resolve) => setTimeout(resolve, outsideMs))
    compute(1)
    res.json({ ok: true })
  })
}
const server = app.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
