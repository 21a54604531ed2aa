import { InvalidConfig } from '@scale/config'
import { describe, expect, it } from 'vitest'
import { loadSettings } from '../src/config.js'
import { runToEnd } from './service.js'

const readConfig = (env: Record<string, string>) => loadSettings(env).values
/** The names of what is wrong, sorted, and all that is said of it. */
const wrongIn = (env: Record<string, string>): { names: string[]; message: string } => {
  try {
    readConfig(env)
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    return { names: error.faults.map(({ name }) => name).sort(), message: error.message }
  }
  return { names: [], message: '' }
}

describe('configuration', () => {
  it('has the defaults of the table in the README', () => {
    expect(readConfig({})).toMatchObject({
      PORT: 3000,
      ADMIN_PORT: 9464,
      ADMIN_HOST: '127.0.0.1',
      PROFILE_LOOKUP_MS: 200,
      PROFILE_QUOTA: 10,
      PROFILE_WINDOW_MS: 60_000,
    })
  })

  it('takes an empty variable for one that is not set', () => {
    expect(readConfig({ PORT: '', REDIS_URL: '' })).toMatchObject({ PORT: 3000 })
  })

  it('names all that is wrong and repeats nothing', () => {
    const env = { PORT: '99999', PROFILE_QUOTA: 'ten', REDIS_URL: 'http://:hunter2@cache' }
    const { names, message } = wrongIn(env)
    expect(names).toEqual(['PORT', 'PROFILE_QUOTA', 'REDIS_URL'])
    expect(message).not.toMatch(/hunter2|99999|ten\b/)
  })

  it('takes durations with their units', () => {
    const env = { PROFILE_WINDOW_MS: '2m', PROFILE_LOOKUP_MS: '50' }
    expect(readConfig(env)).toMatchObject({ PROFILE_WINDOW_MS: 120_000, PROFILE_LOOKUP_MS: 50 })
  })

  describe('of a login through a provider', () => {
    const oidc = {
      OIDC_ISSUER: 'https://login.example',
      OIDC_CLIENT_ID: 'me',
      OIDC_CLIENT_SECRET: 'hunter2',
      OIDC_REDIRECT_URI: 'https://users.example/v1/login/oidc/callback',
    }
    const names = Object.keys(oidc)

    it('is all or nothing', () => {
      expect(readConfig(oidc)).toMatchObject(oidc)
      for (const name of names) {
        expect(wrongIn({ ...oidc, [name]: '' }).names).toEqual([name])
        const alone = { [name]: oidc[name as keyof typeof oidc] }
        const others = names.filter((other) => other !== name)
        expect(wrongIn(alone).names).toEqual(others.sort())
      }
    })

    it.each([
      ['OIDC_ISSUER', 'http://login.example'],
      ['OIDC_ISSUER', 'https://me:hunter2@login.example'],
      ['OIDC_ISSUER', 'https://login.example?tenant=1'],
      ['OIDC_ISSUER', 'login.example'],
      ['OIDC_REDIRECT_URI', 'http://users.example/v1/login/oidc/callback'],
      ['OIDC_REDIRECT_URI', 'http://localhost.example/v1/login/oidc/callback'],
      ['OIDC_REDIRECT_URI', 'https://users.example/callback'],
      ['OIDC_REDIRECT_URI', 'https://users.example/v1/login/oidc/callback?a=b'],
      ['OIDC_REDIRECT_URI', 'https://users.example/v1/login/oidc/callback#a'],
    ])('%s refuses %s', (name, value) => {
      const { names, message } = wrongIn({ ...oidc, [name]: value })
      expect(names).toEqual([name])
      expect(message).not.toMatch(/hunter2/)
    })

    it.each(['http://localhost:3000', 'http://127.0.0.1:3000', 'http://[::1]:3000'])(
      '%s needs no TLS',
      (url) => {
        const here = { OIDC_ISSUER: url, OIDC_REDIRECT_URI: `${url}/v1/login/oidc/callback` }
        expect(readConfig({ ...oidc, ...here })).toMatchObject(here)
      },
    )
  })

  it.each([
    [{}, ['DATABASE_URL', 'JWT_PRIVATE_KEY', 'REDIS_URL']],
    [{ REDIS_URL: 'redis://redis' }, ['DATABASE_URL', 'JWT_PRIVATE_KEY']],
    [{ DATABASE_URL: 'postgres://db/users' }, ['JWT_PRIVATE_KEY', 'REDIS_URL']],
    [{ REDIS_URL: 'none', DATABASE_URL: 'postgres://db/users' }, ['JWT_PRIVATE_KEY', 'REDIS_URL']],
  ])('finds nothing and makes nothing in production: %j', (env, missing) => {
    expect(wrongIn({ NODE_ENV: 'production', ...env }).names).toEqual(missing)
  })

  it('ends the service in production before it looks for anything', async () => {
    const { code, output } = await runToEnd({ NODE_ENV: 'production' })
    expect(code).toBe(78)
    expect(output).toMatch(
      /REDIS_URL: is missing.*\n {2}DATABASE_URL: is missing.*\n {2}JWT_PRIVATE_KEY: is missing/,
    )
  })

  it('ends the service with exit code 78', async () => {
    const wrong = { PORT: 'http', DATABASE_URL: 'mysql://root:hunter2@db', OIDC_CLIENT_SECRET: 'hunter2' }
    const { code, output } = await runToEnd(wrong)
    expect(code).toBe(78)
    for (const name of ['PORT', 'DATABASE_URL', 'OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_REDIRECT_URI'])
      expect(output).toContain(`\n  ${name}: `)
    expect(output).not.toContain('hunter2')
  })

  it('shows on request what is set from where, and nothing secret', async () => {
    const env = { PORT: '3999', DATABASE_URL: 'postgres://me:hunter2@db/users', OIDC_CLIENT_SECRET: '' }
    const { code, output } = await runToEnd(env, ['--config'])
    expect(code).toBe(0)
    expect(output).toMatch(/^PORT +3999 +environment$/m)
    expect(output).toMatch(/^PROFILE_QUOTA +10 +default$/m)
    expect(output).toMatch(/^DATABASE_URL +\*+ +environment$/m)
    expect(output).not.toContain('hunter2')
  })
})
