import { createServer } from 'node:net'
import { type } from 'arktype'
import { celebrate, Joi } from 'celebrate'
import { IsEmail, validateOrReject } from 'class-validator'
import { doubleCsrf } from 'csrf-csrf'
import express, { type RequestHandler } from 'express'
import { expressjwt } from 'express-jwt'
import createError from 'http-errors'
import { Redis } from 'ioredis'
import joi from 'joi'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { MongoClient, MongoServerError } from 'mongodb'
import multer from 'multer'
import mysql from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import passport from 'passport'
import pg from 'pg'
import * as v from 'valibot'
import { z } from 'zod'

/** A library whose errors reach the handler: a middleware that fails as it does, for the request that is given. */
export interface Library {
  name: string
  /** What fails, as the docs name it. */
  failure: string
  /** What the client gets. */
  status: number
  middleware: RequestHandler
  headers?: Record<string, string>
  body?: string
}

const json = { 'content-type': 'application/json' }
const multipart = { 'content-type': 'multipart/form-data; boundary=X' }
const file = '--X\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nhunter2\r\n'
const bearer = { authorization: 'Bearer hunter2.hunter2.hunter2' }
/** A row of a database that is not as the program thinks. */
const row = { mail: 'hunter2', password_hash: 7 }

class Account {
  mail = 'hunter2'
}
IsEmail()(Account.prototype, 'mail')

class Refusing extends passport.Strategy {
  name = 'refusing'
  authenticate(): void {
    this.fail('hunter2', 401)
  }
}
passport.use(new Refusing())

const { doubleCsrfProtection } = doubleCsrf({
  getSecret: () => 'hunter2',
  getSessionIdentifier: () => 'x',
})

/** Fails by what `run` throws. */
function failing(run: () => unknown): RequestHandler {
  return (_req, _res, next) => {
    Promise.resolve()
      .then(run)
      .then(() => next(), next)
  }
}

export const libraries: Library[] = [
  {
    name: 'http-errors',
    failure: "createError(409, 'Taken.')",
    status: 409,
    middleware: failing(() => {
      throw createError(409, 'Taken.')
    }),
  },
  {
    name: 'body-parser',
    failure: 'JSON that is none',
    status: 400,
    middleware: express.json(),
    headers: json,
    body: '{hunter2',
  },
  {
    name: 'multer',
    failure: 'a file that is too large',
    status: 413,
    middleware: multer({ limits: { fileSize: 1 } }).single('photo'),
    headers: multipart,
    body: `${file}--X--\r\n`,
  },
  {
    name: 'busboy',
    failure: 'a form that breaks off',
    status: 400,
    middleware: multer().single('photo'),
    headers: multipart,
    body: file,
  },
  {
    name: 'celebrate',
    failure: 'CelebrateError',
    status: 400,
    middleware: celebrate({ body: Joi.object({ mail: Joi.string().email() }) }),
    headers: json,
    body: '{"mail":"hunter2"}',
  },
  {
    name: 'express-jwt',
    failure: 'UnauthorizedError',
    status: 401,
    middleware: expressjwt({ secret: 'hunter2', algorithms: ['HS256'] }) as RequestHandler,
    headers: bearer,
  },
  {
    name: 'passport',
    failure: 'AuthenticationError, with failWithError',
    status: 401,
    middleware: passport.authenticate('refusing', { failWithError: true, session: false }),
  },
  {
    name: 'csrf-csrf',
    failure: 'EBADCSRFTOKEN, as of csurf',
    status: 403,
    middleware: (req, res, next) => {
      req.cookies = {}
      doubleCsrfProtection(req, res, next)
    },
  },
  {
    name: 'zod',
    failure: 'ZodError of parse()',
    status: 500,
    middleware: failing(() => z.object({ mail: z.email(), password_hash: z.string() }).parse(row)),
  },
  {
    name: 'valibot',
    failure: 'ValiError of parse()',
    status: 500,
    middleware: failing(() => v.parse(v.object({ mail: v.pipe(v.string(), v.email()) }), row)),
  },
  {
    name: 'arktype',
    failure: 'TraversalError of assert()',
    status: 500,
    middleware: failing(() => type({ mail: 'string.email', password_hash: 'string' }).assert(row)),
  },
  {
    name: 'joi',
    failure: 'ValidationError of assert()',
    status: 500,
    middleware: failing(() => joi.assert(row, joi.object({ mail: joi.string().email() }))),
  },
  {
    name: 'class-validator',
    failure: 'the list of validateOrReject()',
    status: 500,
    middleware: failing(() => validateOrReject(new Account())),
  },
  {
    name: 'jsonwebtoken',
    failure: 'JsonWebTokenError',
    status: 500,
    middleware: failing(() => jsonwebtoken.verify('hunter2.hunter2.hunter2', 'x')),
  },
  {
    name: 'jose',
    failure: 'JWSInvalid and others',
    status: 500,
    middleware: failing(() => jose.jwtVerify('hunter2.hunter2.hunter2', new Uint8Array(32))),
  },
  {
    name: 'pg',
    failure: 'DatabaseError',
    status: 500,
    middleware: failing(() => {
      const error = new pg.DatabaseError('duplicate key hunter2', 1, 'error')
      throw Object.assign(error, { code: '23505', detail: 'Key (mail)=(hunter2) already exists.' })
    }),
  },
  {
    name: 'mysql2',
    failure: 'ER_DUP_ENTRY',
    status: 500,
    middleware: failing(async () => {
      const server = mysql.createServer((connection) => {
        connection.serverHandshake({
          protocolVersion: 10,
          serverVersion: '8',
          connectionId: 1,
          statusFlags: 2,
          characterSet: 8,
          capabilityFlags: 0xffffff,
        })
        connection.on('error', () => undefined)
        connection.on('query', () => connection.writeError({ message: 'hunter2', code: 1062 } as never))
      })
      await new Promise<void>((resolve) => (server as never as { listen: ListenOf }).listen(0, resolve))
      const { port } = (server as never as { _server: { address(): { port: number } } })._server.address()
      const connection = await mysqlPromise.createConnection({ host: '127.0.0.1', port })
      try {
        await connection.query('insert')
      } finally {
        connection.destroy()
        ;(server as never as { close(): void }).close()
      }
    }),
  },
  {
    name: 'mongodb',
    failure: 'no server found',
    status: 500,
    middleware: failing(async () => {
      await new MongoClient('mongodb://127.0.0.1:1', { serverSelectionTimeoutMS: 50 }).connect()
    }),
  },
  {
    name: 'mongodb',
    failure: 'MongoServerError',
    status: 500,
    middleware: failing(() => {
      throw new MongoServerError({ message: 'E11000 hunter2', code: 11_000, keyValue: { mail: 'hunter2' } })
    }),
  },
  {
    name: 'ioredis',
    failure: 'ReplyError',
    status: 500,
    middleware: failing(async () => {
      const server = createServer((socket) => {
        socket.on('data', () => socket.write('-WRONGTYPE hunter2\r\n'))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as { port: number }
      const redis = new Redis(port, { enableReadyCheck: false, disableClientInfo: true })
      redis.on('error', () => undefined)
      try {
        await redis.get('hunter2')
      } finally {
        redis.disconnect()
        server.close()
      }
    }),
  },
]

type ListenOf = (port: number, listening: () => void) => void
