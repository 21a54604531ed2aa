import { expect, it } from 'vitest'
import { type Algorithm, accessToken, type InvalidToken, type Jwk, localKeys } from '../src/index.js'

// The signed tokens of RFC 7515, appendix A. Their claims are no access token's, so that `claims` is the reason to refuse
// them: it is only reached when the signature is good.

const PAYLOAD =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'

const vectors: [place: string, algorithm: Algorithm, key: Jwk, token: string][] = [
  [
    'A.1',
    'HS256',
    {
      kty: 'oct',
      k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    },
    `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
  ],
  [
    'A.3',
    'ES256',
    {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    },
    `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
  ],
]

it.each(vectors)('RFC 7515 %s (%s)', async (_, algorithm, key, token) => {
  const { verify } = accessToken({
    issuer: 'joe',
    audience: 'any',
    algorithms: [algorithm],
    keys: localKeys(key),
    type: 'jwt',
  })
  const reasonOf = (text: string): Promise<string> =>
    verify(text).then(
      () => 'accepted',
      (error: InvalidToken) => error.reason,
    )
  expect(await reasonOf(token)).toBe('claims')
  const at = token.lastIndexOf('.') + 5
  const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
  expect(await reasonOf(changed)).toBe('signature')
})
