import { generateKeyPairSync, sign } from 'node:crypto'
import express from 'express'
import Keycloak from 'keycloak-connect'
import { describe, expect, it } from 'vitest'
import { listen, type RunningApp } from '../app.js'
import { Browser } from './browser.js'
import { type AnyRequest, stackNames, useStacks } from './stacks.js'

const stack = useStacks()
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })

function jwt(claims: object): string {
  const text = [{ alg: 'RS256', kid: 'k', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
}

/** What of a Keycloak server a login needs. */
async function startRealm(): Promise<RunningApp> {
  const realm = express().use(express.urlencoded({ extended: false }))
  const path = '/realms/r/protocol/openid-connect'
  realm.get(`${path}/auth`, (req, res) => {
    const { redirect_uri, state } = req.query as Record<string, string>
    res.redirect(`${redirect_uri}&code=c&state=${state}`)
  })
  realm.post(`${path}/token`, (req, res) => {
    const now = Math.floor(Date.now() / 1_000)
    const claims = {
      iss: `http://${req.headers.host}/realms/r`,
      aud: 'app',
      azp: 'app',
      sub: 'ann',
      iat: now,
      exp: now + 300,
    }
    res.json({
      access_token: jwt({ ...claims, typ: 'Bearer' }),
      id_token: jwt({ ...claims, typ: 'ID' }),
      refresh_token: jwt({ ...claims, typ: 'Refresh' }),
      expires_in: 300,
    })
  })
  realm.get(`${path}/logout`, (_req, res) => {
    res.json('bye')
  })
  return listen(realm)
}

describe.each(stackNames)('keycloak-connect on %s', (name) => {
  it('logs in by a redirect, keeps the grant in the session, and deletes it at the logout', async () => {
    const realm = await startRealm()
    const keycloak = new Keycloak({ store: {} as never }, {
      realm: 'r',
      resource: 'app',
      'auth-server-url': realm.url,
      'realm-public-key': publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      'confidential-port': 0,
      'ssl-required': 'none',
      credentials: { secret: 's' },
    } as never)
    const app = express().use(stack(name))
    app.use(keycloak.middleware({ logout: '/logout', admin: '/' }) as never)
    app.get('/private', keycloak.protect() as never, (req: AnyRequest, res) => {
      res.json({ sub: req.kauth.grant.access_token.content.sub, n: Object.keys(req.session).length })
    })
    app.get('/', (req: AnyRequest, res) => {
      res.json({
        grant: 'keycloak-token' in req.session,
        user: req.kauth.grant?.access_token.content.sub ?? null,
      })
    })
    const running = await listen(app)
    const browser = new Browser()
    const home = async () => JSON.parse((await browser.go(running.url)).body)
    expect(await home()).toEqual({ grant: false, user: null })
    const page = await browser.go(`${running.url}/private`)
    expect(JSON.parse(page.body)).toMatchObject({ sub: 'ann' })
    expect(await home()).toEqual({ grant: true, user: 'ann' })
    await browser.go(`${running.url}/logout`)
    expect(await home()).toEqual({ grant: false, user: null })
    await running.close()
    await realm.close()
  })
})
