import { join } from 'node:path'
import { publishedPackages } from '../src/workspace.js'

/** Everything that can be imported of the published packages: `@scale/session`, `@scale/session/testing` … */
export const entries: readonly string[] = publishedPackages().flatMap(({ manifest }) =>
  Object.keys(manifest.exports ?? {})
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => join(manifest.name, subpath)),
)

/** Optional peers, without which an entry does not load. */
export const optionalPeers: Readonly<Record<string, string>> = { busboy: '^1.6.0' }

const needed = [...entries, 'express', 'zod']

/** Defines `load(name)`, by words that bundlers and transpilers find in a text. */
export const head: Readonly<Record<'require' | 'import', string>> = {
  require: `const all = { ${needed.map((name) => `'${name}': require('${name}')`).join(', ')} }
const load = (name) => all[name]`,
  import: `import express from 'express'
${needed.map((name, index) => `import * as m${index} from '${name}'`).join('\n')}
const all = { ${needed.map((name, index) => `'${name}': m${index}`).join(', ')} }
const load = (name) => (name === 'express' ? express : all[name])`,
}

/** Loads every entry by `load`; `serve()` answers a few requests by some of them, and throws if an answer is wrong. */
export const loadAndServe: string = `
for (const entry of ${JSON.stringify(entries)}) {
  if (Object.keys(load(entry)).length === 0) throw new Error(entry + ' has no exports')
}
const application = load('express')
const { z } = load('zod')
const { NotFound, errorHandler } = load('@scale/errors')
const { validate } = load('@scale/validate')
const { rateLimit } = load('@scale/rate-limit')
const { ScaleError, InvalidOption } = load('@scale/core')
const { accessToken, localKeys } = load('@scale/auth')

async function serve() {
  const app = application()
  const keys = localKeys({ keys: [{ kty: 'oct', kid: 'k', alg: 'HS256', k: 'c'.repeat(43) }] })
  const tokens = accessToken({ issuer: 'https://a/', audience: 'b', algorithms: ['HS256'], keys })
  const limiter = rateLimit({ policies: [{ name: 'all', quota: 100, windowMs: 60000 }], allowMemoryStore: true })
  app.get('/', limiter, validate({ query: z.object({ n: z.coerce.number() }) }), (req, res) => {
    if (req.valid.query.n === 0) throw new NotFound()
    res.json({ n: req.valid.query.n })
  })
  app.get('/token', tokens, (_req, res) => res.json({}))
  app.use(errorHandler())
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = 'http://127.0.0.1:' + server.address().port
  const answers = []
  for (const path of ['/?n=2', '/?n=x', '/?n=0', '/token']) answers.push((await fetch(url + path)).status)
  const bad = await fetch(url + '/token', { headers: { authorization: 'Bearer a.b.c' } })
  answers.push(bad.status)
  await new Promise((resolve) => server.close(resolve))
  let refusal
  try { rateLimit({ policies: [], nonsense: 1 }) } catch (error) { refusal = error }
  if (!(refusal instanceof InvalidOption && refusal instanceof ScaleError)) throw new Error('two copies of core')
  if (answers.join() !== '200,422,404,401,401') throw new Error('answered ' + answers.join())
}
`
