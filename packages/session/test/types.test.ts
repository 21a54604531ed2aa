import { compose } from '@scale/core'
import express, { type Request } from 'express'
import type { Request as Request4 } from 'express4'
import { expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { loggedIn, requireSession, type Session, type SessionData, session } from '../src/index.js'

it('req.session has its type in Express 5 and 4, in handlers and composed', () => {
  const sessions = session({ schema: z.object({ visits: z.number().default(0) }) })
  const limiter = (_req: { ip?: string | undefined }, _res: unknown, next: () => void) => next()
  const app = express()
  app.use(sessions)
  app.get('/v1/profile', compose(sessions, requireSession(), limiter), (req, res) => {
    expectTypeOf(req.session).toEqualTypeOf<Session & Partial<SessionData>>()
    expectTypeOf(req.session.userId).toEqualTypeOf<string | undefined>()
    expectTypeOf(loggedIn(req).userId).toEqualTypeOf<string>()
    expectTypeOf(req.session.data).toEqualTypeOf<SessionData>()
    expectTypeOf(sessions.get(req).data).toEqualTypeOf<{ visits: number }>()
    res.json()
  })
  expectTypeOf<Request['session']>().toEqualTypeOf<Session & Partial<SessionData>>()
  expectTypeOf<Request4['session']>().toEqualTypeOf<Session & Partial<SessionData>>()
  expectTypeOf(sessions.load).returns.resolves.toEqualTypeOf<Session<{ visits: number }>>()
  // @ts-expect-error a user id is a string
  void ((one: Session) => one.login(1))
})
