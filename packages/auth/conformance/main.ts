import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { tryAuth0 } from './auth0.js'
import { tryWycheproof } from './wycheproof.js'

// Holds us against whole collections of cases of others: `pnpm conformance auth <checkout>`, of C2SP/wycheproof or of
// auth0/node-oauth2-jwt-bearer. Ends with 1 if a case ends otherwise than its authors say and the reason is not listed.

const checkout = resolve(process.argv[2] ?? '')
const isThere = (path: string): boolean => existsSync(join(checkout, path))
if (isThere('testvectors_v1')) process.exitCode = (await tryWycheproof(checkout)) ? 0 : 1
else if (isThere('packages/access-token-jwt')) process.exitCode = (await tryAuth0(checkout)) ? 0 : 1
else throw new Error('Say where a checkout of C2SP/wycheproof or auth0/node-oauth2-jwt-bearer lies.')
