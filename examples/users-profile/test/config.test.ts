import { describe, expect, it } from 'vitest'
import { InvalidConfig, readConfig } from '../src/config.js'
import { runToEnd } from './service.js'

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
    expect(() => readConfig(env)).toThrow(InvalidConfig)
    expect(() => readConfig(env)).toThrow(/PORT, REDIS_URL, PROFILE_QUOTA/)
    expect(() => readConfig(env)).not.toThrow(/hunter2|99999|ten\b/)
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
        expect(() => readConfig({ ...oidc, [name]: '' })).toThrow(new RegExp(`used: ${name}\\.`))
        const alone = { [name]: oidc[name as keyof typeof oidc] }
        const others = names.filter((other) => other !== name)
        expect(() => readConfig(alone)).toThrow(new RegExp(`used: ${others.join(', ')}\\.`))
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
      expect(() => readConfig({ ...oidc, [name]: value })).toThrow(new RegExp(`used: ${name}\\.`))
      expect(() => readConfig({ ...oidc, [name]: value })).not.toThrow(/hunter2/)
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
    [{}, 'REDIS_URL, DATABASE_URL, JWT_PRIVATE_KEY'],
    [{ REDIS_URL: 'redis://redis' }, 'DATABASE_URL, JWT_PRIVATE_KEY'],
    [{ DATABASE_URL: 'postgres://db/users' }, 'REDIS_URL, JWT_PRIVATE_KEY'],
    [{ REDIS_URL: 'none', DATABASE_URL: 'postgres://db/users' }, 'REDIS_URL, JWT_PRIVATE_KEY'],
  ])('finds nothing and makes nothing in production: %j', (env, missing) => {
    expect(() => readConfig({ NODE_ENV: 'production', ...env })).toThrow(new RegExp(`used: ${missing}\\.`))
  })

  it('ends the service in production before it looks for anything', async () => {
    const { code, output } = await runToEnd({ NODE_ENV: 'production' })
    expect(code).toBe(78)
    expect(output).toMatch(/REDIS_URL, DATABASE_URL, JWT_PRIVATE_KEY/)
  })

  it('ends the service with exit code 78', async () => {
    const wrong = { PORT: 'http', DATABASE_URL: 'mysql://root:hunter2@db', OIDC_CLIENT_SECRET: 'hunter2' }
    const { code, output } = await runToEnd(wrong)
    expect(code).toBe(78)
    expect(output).toMatch(/PORT, DATABASE_URL, OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_REDIRECT_URI\./)
    expect(output).not.toContain('hunter2')
  })
})
