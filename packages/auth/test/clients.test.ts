import { findRedisServer } from '@scale/devkit/redis-server'
import { type ClientServers, clientRows, startClientServers } from '@scale/redis/testing'
import * as ioredis from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessToken, InvalidGrant, revocation, signingKeys, tokenIssuer } from '../src/index.js'
import { ISSUER, testKey } from './tokens.js'

// What tokens promise, kept with every client that apps make.

let servers: ClientServers

beforeAll(async () => {
  servers = await startClientServers(await findRedisServer())
})
afterAll(() => servers?.stop())

const keys = signingKeys(testKey('EdDSA', 'k').privateJwk)
let users = 0

describe.concurrent.each(clientRows({ 'ioredis 5': ioredis5, 'ioredis 6': ioredis }))(
  '$name',
  ({ connect }) => {
    it('a refresh token is taken once, its family ends if it is stolen, and a revoked token is refused', async () => {
      const { redis, ready, close } = connect(servers)
      const revoked = revocation({ redis })
      const issuer = tokenIssuer({ issuer: ISSUER, audience: 'api', keys, redis, graceMs: 0 })
      const tokens = accessToken({ issuer: ISSUER, audience: 'api', keys, revocation: revoked })
      await ready()

      const first = await issuer.issue({ userId: `user-${users++}` })
      const second = await issuer.refresh(first.refresh_token)
      const { claims } = await tokens.verify(second.access_token)
      await revoked.revokeToken(claims as never)
      await expect(tokens.verify(second.access_token)).rejects.toMatchObject({ reason: 'revoked' })
      await expect(issuer.refresh(first.refresh_token)).rejects.toThrow(InvalidGrant)
      await expect(issuer.refresh(second.refresh_token)).rejects.toThrow(InvalidGrant)
      close()
    })
  },
)
