import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidRedisUrl } from '../src/errors.js'
import { parseRedisUrl } from '../src/url.js'

const base = { tls: false, username: undefined, password: undefined, db: 0, name: undefined }

describe('parseRedisUrl', () => {
  it.each([
    ['redis://localhost', { ...base, kind: 'standalone', addresses: [{ host: 'localhost', port: 6379 }] }],
    [
      'rediss://ada:p%40ss@db.example:6380/3',
      {
        ...base,
        kind: 'standalone',
        tls: true,
        addresses: [{ host: 'db.example', port: 6380 }],
        username: 'ada',
        password: 'p@ss',
        db: 3,
      },
    ],
    [
      'redis://:secret@[::1]:7000',
      { ...base, kind: 'standalone', addresses: [{ host: '::1', port: 7000 }], password: 'secret' },
    ],
    [
      'redis+sentinel://a:1,b/main/2',
      {
        ...base,
        kind: 'sentinel',
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26379 },
        ],
        name: 'main',
        db: 2,
      },
    ],
    [
      'rediss+cluster://:pw@a,b:7001',
      {
        ...base,
        kind: 'cluster',
        tls: true,
        addresses: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 7001 },
        ],
        password: 'pw',
      },
    ],
  ])('reads %s', (url, target) => {
    expect(parseRedisUrl(url)).toEqual(target)
  })

  it.each([
    ['', /must look like/],
    ['http://localhost', /must look like/],
    ['redis://', /must look like/],
    ['redis://a,b', /several hosts/],
    ['redis://host:0', /host or port/],
    ['redis://host:65536', /host or port/],
    ['redis://host/x', /database/],
    ['redis+cluster://host/1', /no database/],
    ['redis+sentinel://host', /name of the primary/],
    ['redis://:%zz@host', /password is not percent-encoded/],
  ])('refuses %j', (url, message) => {
    expect(() => parseRedisUrl(url)).toThrow(InvalidRedisUrl)
    expect(() => parseRedisUrl(url)).toThrow(message)
  })

  it('never repeats a password in its message', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9%]{8,20}$/),
        fc.constantFrom('host:0', 'a,b', 'host/x', ''),
        (password, rest) => {
          try {
            parseRedisUrl(`redis://user:${password}@${rest}`)
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidRedisUrl)
            expect(String(error)).not.toContain(password)
          }
        },
      ),
    )
  })
})

describe('parameters', () => {
  it('say which IP version, and who the sentinels are told that this is', () => {
    expect(parseRedisUrl('redis://h?family=0')).toMatchObject({ family: 0, db: 0 })
    expect(parseRedisUrl('redis://h:1/3?family=6')).toMatchObject({ family: 6, db: 3 })
    expect(parseRedisUrl('redis+cluster://a,b?family=4')).toMatchObject({ family: 4 })
    const sentinel = 'redis+sentinel://u:p@a/name?sentinelUsername=s%40t&sentinelPassword=p%26w&family=0'
    expect(parseRedisUrl(sentinel)).toMatchObject({
      username: 'u',
      sentinelUsername: 's@t',
      sentinelPassword: 'p&w',
      name: 'name',
    })
    expect(parseRedisUrl('redis://h')).toMatchObject({ family: undefined, sentinelPassword: undefined })
  })

  it.each([
    'redis://h?family=5',
    'redis://h?famly=6',
    'redis://h?sentinelPassword=secret',
    'redis://h?x=secret&family=4',
  ])('are refused without a value being told: %s', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(InvalidRedisUrl)
    expect(() => parseRedisUrl(url)).not.toThrow(/secret/)
  })
})
