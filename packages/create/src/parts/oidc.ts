import type { Removal } from './removal.js'

/** The login through a provider. */
export const oidc: Removal = {
  files: [
    'migrations/002-identities.sql',
    'src/controllers/oidc.ts',
    'src/infrastructure/discovered.ts',
    'src/infrastructure/oidc.ts',
    'src/services/oidc-login.ts',
    'test/discovered.test.ts',
    'test/oidc-login.test.ts',
  ],
  cuts: {
    'package.json': [/^ {4}"openid-client": .*\n/m],
    'page/index.html': [/^ *<p id="oidc".*\n/m],
    'page/app.js': [/^\/\/ Shown where a provider.*\n.*\n.*\n\n/m],
    'src/routes.ts': [
      /^import .*\/oidc(?:-login)?\.js'\n/gm,
      /^ {2}beginLogin,\n/m,
      /^ {2}\/\*\* .*login through a provider\. \*\/\n {2}oidc: .*\n/m,
      [', oidc, outbox }', ', outbox }'],
      [/, strictSessions,(.*), beginQuota \}/, ', profileQuota, loginQuota, registrationQuota }'],
      /^ {2}router\.route\('\/login\/methods'\)[\s\S]*?^ {2}\}\n/m,
    ],
    'src/service.ts': [/^import .*\/oidc(?:-login)?\.js'\n/gm, /^ {4}oidc: .*\n/m],
    'src/guards.ts': [
      /^ {2}\/\*\* The same sessions.*\n {2}strictSessions: .*\n/m,
      /^ {2}\/\*\* Logins that begin.*\n {2}beginQuota: .*\n/m,
      /^ {4}strictSessions: .*\n/m,
      /^ {4}beginQuota: rateLimit[\s\S]*?^ {4}\}\),\n/m,
    ],
    'src/schemas.ts': [/^\/\*\* Where a login goes.*\n.*\n/m, /\n\/\*\* Of what a provider says[\s\S]*$/],
    'src/validators.ts': [/^ {2}BeginLogin,\n/m, /^export const beginLogin.*\n/m],
    'src/config.ts': [
      /^\/\*\* With TLS, or on this machine[\s\S]*?^\}\n/m,
      /^const isCallback[\s\S]*?callback'\n/m,
      /^ {2}OIDC_.*\n/gm,
      /^\/\*\* A login through a provider.*\n.*\n\n/m,
      /^ {2}const missing = .*\n.*\n|^ {6}const missing = .*\n.*\n|^ {8}\.\.\.wrong\.map.*\n| 'OIDC_CLIENT_SECRET',(?= )/gm,
    ],
    'src/repositories/users.ts': [
      [/ {2}\/\*\* `null`: signs in.*\n.*\n/, '  passwordHash: string\n'],
      /^\/\*\* Who somebody is at a provider[\s\S]*?^\}\n\n/m,
      /^ {2}\/\*\* .*, or the identity \*\/\n.*\n/m,
      /^ {2}findByIdentity\(.*\n/m,
      /^const UNIQUE_VIOLATION.*\n/m,
      /^ {2}const oneUnlessTaken[\s\S]*?^ {2}\}\n/m,
      /^ {4}\/\/ One statement: there is never[\s\S]*?^ {6}\),\n/m,
      /^ {4}findByIdentity: [\s\S]*?^ {6}\]\),\n/m,
    ],
    'src/services/accounts.ts': [
      [', Forbidden, Unauthorized', ', Unauthorized'],
      ['{ Identity, UserRow }', '{ UserRow }'],
      /^ {2}\/\*\*\n {3}\* The user whom a provider[\s\S]*?^ {2}enter\(.*\n/m,
      [/`current` is wrong, or there is none: .* \*\//, '`current` is wrong */'],
      /^\/\*\* What a provider says about somebody[\s\S]*?^\}\n\n/m,
      /^ {2}async function join\([\s\S]*?^ {2}\}\n\n/m,
      /^ {4}async enter\([\s\S]*?^ {4}\},\n/m,
    ],
    'test/config.test.ts': [
      /^ {2}describe\('of a login through a provider'[\s\S]*?^ {2}\}\)\n\n/m,
      [/, OIDC_CLIENT_SECRET: '(?:hunter2)?' \}/g, ' }'],
      /(?:, '?OIDC_(?:ISSUER|CLIENT_ID|REDIRECT_URI)'?)+/g,
    ],
    'README.md': [
      /^\| `OIDC_.*\n|, `OIDC_CLIENT_SECRET`/gm,
      /^\| `GET \/v1\/login.*\n/gm,
      /^## Login through a provider\n[\s\S]*?(?=^## Mail)/m,
      /^\| \[src\/services\/oidc-login.*\n/m,
    ],
  },
}
