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

  it('ends the service with exit code 78', async () => {
    const { code, output } = await runToEnd({ PORT: 'http', DATABASE_URL: 'mysql://root:hunter2@db' })
    expect(code).toBe(78)
    expect(output).toMatch(/PORT, DATABASE_URL/)
    expect(output).not.toContain('hunter2')
  })
})
