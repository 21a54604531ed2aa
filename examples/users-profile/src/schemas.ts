import { z } from 'zod'

// What clients may send. Unknown members are dropped.

/** Text that people write on one line. PostgreSQL stores no NUL, and half a surrogate pair comes back as another character. */
const line = z.string().regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Must have no control characters.')
const name = line.trim().min(2).max(50)
/** RFC 5321 allows no longer path; the database index would refuse one later and less kindly. */
const email = z.email().max(254)
const password = z.string().min(8).max(128)

export const NewUser = z.object({ name, email, password })
export const Credentials = z.object({
  email: line.min(1).max(254),
  password: z.string().min(1).max(128),
})
export const NewPassword = z.object({ current: z.string().min(1).max(128), next: password })
export const AskReset = z.object({ email: line.min(1).max(254) })
/** Of a link that was mailed. Its form says nothing: whatever opens nothing is answered alike. */
const secret = z.string().max(128)
export const ConfirmReset = z.object({ token: secret, next: password })
export const VerifyEmail = z.object({ token: secret })
/** Its form is judged by the issuer: whatever is no refresh token is an `invalid_grant`. */
export const RefreshToken = z.object({ refresh_token: z.string().max(1_024) })
export const Rename = z.object({ name })
/** Where a login goes when it is done: a place in this service, and nowhere else. */
export const BeginLogin = z.object({ returnTo: z.string().max(512).transform(localPath).default('/') })
/** A page of a list: bounded, so that nobody can ask for all. */
export const CataloguePage = z.object({
  after: line.max(64).default(''),
  limit: z.coerce.number().int().min(1).max(100).default(20),
})
export const UserId = z.object({ id: z.uuid() })
export const SessionId = z.object({ id: z.string().min(1).max(128) })

/** Of what a provider says about somebody, what is used. What does not fit is left out. */
export const Claims = z.object({
  name: name.optional().catch(undefined),
  email: email.optional().catch(undefined),
  email_verified: z.literal(true).optional().catch(undefined),
})

const NOWHERE = 'https://nowhere.invalid'

/** Read as a browser will read it: `/\\evil.example` and `/.//evil.example` lead to another host. */
function localPath(text: string, context: z.RefinementCtx): string {
  const url = text.startsWith('/') && URL.canParse(text, NOWHERE) ? new URL(text, NOWHERE) : undefined
  const path = url?.origin === NOWHERE ? url.pathname + url.search + url.hash : '//'
  if (!path.startsWith('//')) return path
  context.addIssue({ code: 'custom', message: 'Must be a path of this service.' })
  return z.NEVER
}
