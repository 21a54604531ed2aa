import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type KoaContextWithOIDC } from 'oidc-provider'

/** What the provider says of somebody who logs in there under this name. */
export interface ProviderAccount {
  name?: string
  email?: string
  email_verified?: boolean
}

/** A real OpenID provider on 127.0.0.1, with its own pages for login and consent. */
export interface TestProvider {
  issuer: string
  /** What a copy of the service is told of it. */
  env: Record<string, string>
  accounts: Map<string, ProviderAccount>
  /** Paths of all requests so far. */
  requests: string[]
  /** Changes an answer before it is sent. */
  tamper: ((context: KoaContextWithOIDC) => void) | undefined
  /** Closes its port, and every connection. */
  stop(): Promise<void>
  /** Opens the same port again. */
  start(): Promise<void>
}

const CLIENT_ID = 'users-profile'

/** @param redirectUri  where it sends browsers back to */
export async function startProvider(redirectUri: string): Promise<TestProvider> {
  const clientSecret = randomBytes(32).toString('base64url')
  let handler: ReturnType<Provider['callback']>
  let server: Server
  const listen = async (port: number): Promise<void> => {
    server = createServer((req, res) => {
      provider.requests.push(new URL(req.url!, 'http://127.0.0.1').pathname)
      void handler(req, res)
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  }
  const provider: TestProvider = {
    issuer: '',
    env: {},
    accounts: new Map(),
    requests: [],
    tamper: undefined,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
    start: () => listen(Number(new URL(provider.issuer).port)),
  }
  await listen(0)
  provider.issuer = `http://127.0.0.1:${(server!.address() as AddressInfo).port}`
  provider.env = {
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: CLIENT_ID,
    OIDC_CLIENT_SECRET: clientSecret,
    OIDC_REDIRECT_URI: redirectUri,
  }

  const oidc = new Provider(provider.issuer, {
    clients: [{ client_id: CLIENT_ID, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    jwks: {
      keys: [
        {
          ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
          kid: '1',
        },
      ],
    },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    pkce: { required: () => true },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...provider.accounts.get(id) }),
    }),
  })
  oidc.use(async (context, next) => {
    await next()
    provider.tamper?.(context as KoaContextWithOIDC)
  })
  handler = oidc.callback()
  return provider
}
