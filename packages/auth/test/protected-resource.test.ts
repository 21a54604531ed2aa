import express from 'express'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accessToken, protectedResource } from '../src/index.js'
import { listen, type RunningApp } from './app.js'
import { options } from './tokens.js'

const SERVER = 'https://login.example'
let app: RunningApp
beforeAll(async () => {
  const web = express()
  app = await listen(web)
  const metadata = protectedResource({
    resource: app.url,
    authorizationServers: [SERVER],
    scopes: ['read', 'write'],
    name: 'Orders',
  })
  web.get('/.well-known/oauth-protected-resource', metadata)
  const resourceMetadata = `${app.url}/.well-known/oauth-protected-resource`
  web.get('/orders', accessToken(options({ resourceMetadata })))
})
afterAll(() => app.close())

it('a client that is refused finds the authorization server', async () => {
  const url = new URL(app.url)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const refused = await fetch(`${app.url}/orders`)
  expect(refused.headers.get('www-authenticate')).toContain(`resource_metadata="${app.url}/.well-known/`)
  const response = await oauth.resourceDiscoveryRequest(url, insecure)
  expect(response.headers.get('access-control-allow-origin')).toBe('*')
  expect(response.headers.get('cache-control')).toBe('public, max-age=300')
  // oauth4webapi holds it against the address with a slash, which RFC 9728 §3.3 does not.
  const said = await response.json()
  expect(said).toEqual({
    resource: app.url,
    authorization_servers: [SERVER],
    scopes_supported: ['read', 'write'],
    bearer_methods_supported: ['header'],
    dpop_bound_access_tokens_required: false,
    resource_name: 'Orders',
  })
})

it('wrong options are told at the start', () => {
  const good = { resource: 'https://api.example', authorizationServers: [SERVER] }
  for (const wrong of [
    { resource: 'api' },
    { resource: 'https://api.example#x' },
    { authorizationServers: [] },
    { scopes: ['a b'] },
    { documentation: 'javascript:alert(1)' },
  ]) {
    expect(() => protectedResource({ ...good, ...wrong })).toThrow(/protectedResource/)
  }
})
