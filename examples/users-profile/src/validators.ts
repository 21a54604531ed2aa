import { validate } from '@scale/validate'
import {
  BeginLogin,
  CataloguePage,
  Credentials,
  NewUser,
  RefreshToken,
  Rename,
  SessionId,
  UserId,
} from './schemas.js'

// One per kind of request: a route puts it in front, its controller reads what it found.

/** A browser without script sends the form itself. */
const bodyTypes = ['application/json', 'application/x-www-form-urlencoded']

export const newUser = validate({ body: NewUser, bodyTypes })
export const credentials = validate({ body: Credentials, bodyTypes })
export const beginLogin = validate({ query: BeginLogin })
export const cataloguePage = validate({ query: CataloguePage })
export const userId = validate({ params: UserId })
export const refreshToken = validate({ body: RefreshToken })
export const rename = validate({ body: Rename })
export const sessionId = validate({ params: SessionId })
