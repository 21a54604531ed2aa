import { validate } from '@scale/validate'
import {
  AskReset,
  BeginLogin,
  CataloguePage,
  ConfirmReset,
  Credentials,
  NewPassword,
  NewUser,
  RefreshToken,
  Rename,
  SessionId,
  UserId,
  VerifyEmail,
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
export const newPassword = validate({ body: NewPassword })
export const askReset = validate({ body: AskReset, bodyTypes })
export const confirmReset = validate({ body: ConfirmReset })
export const verifyEmail = validate({ body: VerifyEmail })
