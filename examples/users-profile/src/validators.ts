import { validate } from '@scale/validate'
import { BeginLogin, Credentials, NewUser, RefreshToken, Rename, SessionId } from './schemas.js'

// One per kind of request: a route puts it in front, its controller reads what it found.

export const newUser = validate({ body: NewUser })
export const credentials = validate({ body: Credentials })
export const beginLogin = validate({ query: BeginLogin })
export const refreshToken = validate({ body: RefreshToken })
export const rename = validate({ body: Rename })
export const sessionId = validate({ params: SessionId })
