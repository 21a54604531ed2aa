import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressGroup, clientAddress, formatAddress, isIpv4, parseAddress } from '../src/index.js'

const ipv6 = fc.ipV6()
const ipv4 = fc.ipV4()
const nearMiss = fc.stringMatching(/^[0-9a-f:.%]{0,45}$/)

describe('parseAddress', () => {
  it('accepts what Node accepts, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6, nearMiss, fc.string()), (text) => {
        // Node takes any zone id, this parser too; neither side is asked about one here.
        fc.pre(!text.includes('%'))
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0)
      }),
      { numRuns: 20_000 },
    )
  })

  it('reads the same bits whatever the spelling', () => {
    for (const text of [
      '2001:db8::1',
      '2001:0DB8:0:0:0:0:0:1',
      '2001:db8:0:0::0.0.0.1',
      '2001:db8::1%eth0',
    ]) {
      expect(formatAddress(parseAddress(text)!)).toBe('2001:db8::1')
    }
  })

  it.each([
    '01.2.3.4',
    '1.2.3',
    '256.1.1.1',
    '1.2.3.4:80',
    '::1::',
    ':1',
    '1:',
    'g::',
    '::1.2.3',
    '1::2:3:4:5:6:7:8',
    '',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })
})

describe('formatAddress', () => {
  it('is read back to the same bits, and is one spelling per address', () => {
    fc.assert(
      fc.property(fc.uint16Array({ minLength: 8, maxLength: 8 }), (bits) => {
        const text = formatAddress(bits)
        expect(isIP(text)).not.toBe(0)
        expect(parseAddress(text)).toEqual(bits)
      }),
      { numRuns: 5_000 },
    )
  })

  // RFC 5952 §4: lower case, no leading zeros, the longest run of zeros, the first of equal runs, never a single one.
  it.each([
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
  ])('writes %s as %s', (text, canonical) => {
    expect(formatAddress(parseAddress(text)!)).toBe(canonical)
  })
})

describe('isIpv4', () => {
  it('is decided by the bits: every spelling of a mapped address, and no other address', () => {
    for (const text of ['::ffff:1.2.3.4', '::ffff:102:304', '0:0:0:0:0:ffff:102:304', '::FFFF:1.2.3.4']) {
      expect(isIpv4(parseAddress(text)!), text).toBe(true)
    }
    for (const text of [
      '::1.2.3.4',
      '2001:db8::1.2.3.4',
      '64:ff9b::1.2.3.4',
      '::fffe:1.2.3.4',
      '::ffff:0:1.2.3.4',
    ]) {
      expect(isIpv4(parseAddress(text)!), text).toBe(false)
    }
  })
})

describe('addressGroup', () => {
  it('holds exactly the addresses of the prefix, as Node understands prefixes', () => {
    fc.assert(
      fc.property(ipv6, ipv6, fc.integer({ min: 1, max: 128 }), (one, other, prefix) => {
        const [a, b] = [parseAddress(one)!, parseAddress(other)!]
        fc.pre(!isIpv4(a) && !isIpv4(b))
        // Half of the pairs share a prefix, else hardly any would.
        const near = Uint16Array.from(a, (group, i) => (i < 4 ? group : b[i]!))
        const list = new BlockList()
        list.addSubnet(one.split('%')[0]!, prefix, 'ipv6')
        for (const bits of [b, near]) {
          if (isIpv4(bits)) continue
          const isInside = list.check(formatAddress(bits), 'ipv6')
          expect(addressGroup(a, prefix) === addressGroup(bits, prefix)).toBe(isInside)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('counts each IPv4 address by itself, mapped or not', () => {
    const groups = ['203.0.113.7', '::ffff:203.0.113.7', '203.0.113.8'].map((text) =>
      addressGroup(parseAddress(text)!, 56),
    )
    expect(groups).toEqual(['203.0.113.7', '203.0.113.7', '203.0.113.8'])
  })

  it('never lets the two families meet', () => {
    fc.assert(
      fc.property(ipv4, ipv6, fc.integer({ min: 1, max: 128 }), (four, six, prefix) => {
        fc.pre(!isIpv4(parseAddress(six)!))
        expect(addressGroup(parseAddress(six)!, prefix)).not.toBe(addressGroup(parseAddress(four)!, prefix))
      }),
    )
    expect(addressGroup(parseAddress('::ffff:0:0:0')!, 96)).toContain('/96')
  })
})

describe('clientAddress', () => {
  it('takes what Express decided, before the socket', () => {
    const req = { ip: '2001:db8:1:2ff::9', socket: { remoteAddress: '10.0.0.1' } }
    expect(clientAddress(req)).toEqual({ address: '2001:db8:1:2ff::9', group: '2001:db8:1:200::/56' })
    expect(clientAddress(req, { ipv6Prefix: 64 })?.group).toBe('2001:db8:1:2ff::/64')
    expect(clientAddress({ socket: { remoteAddress: '::ffff:10.0.0.1' } })).toEqual({
      address: '10.0.0.1',
      group: '10.0.0.1',
    })
  })

  it('says so when there is no address', () => {
    expect(clientAddress({})).toBeUndefined()
    expect(clientAddress({ ip: 'unknown' })).toBeUndefined()
    expect(clientAddress({ socket: { remoteAddress: undefined } as never })).toBeUndefined()
  })

  it('is bounded on hostile text', () => {
    for (const text of [':'.repeat(1e6), '1.'.repeat(1e6), '%'.repeat(1e6)])
      expect(clientAddress({ ip: text })).toBeUndefined()
  })
})
