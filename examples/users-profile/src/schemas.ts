import { z } from 'zod'

// What clients may send. Unknown members are dropped.

const name = z.string().trim().min(2).max(50)
/** RFC 5321 allows no longer path; the database index would refuse one later and less kindly. */
const email = z.email().max(254)
const password = z.string().min(8).max(128)

export const NewUser = z.object({ name, email, password })
export const Credentials = z.object({
  email: z.string().min(1).max(254),
  password: z.string().min(1).max(128),
})
/** Its form is judged by the issuer: whatever is no refresh token is an `invalid_grant`. */
export const RefreshToken = z.object({ refresh_token: z.string().max(1_024) })
export const Rename = z.object({ name })
export const SessionId = z.object({ id: z.string().min(1).max(128) })
