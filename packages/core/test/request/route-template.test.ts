import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import express4 from 'express4'
import { describe, expect, it } from 'vitest'
import { routeTemplate } from '../../src/index.js'

const frameworks: [name: string, framework: typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
]

describe.each(frameworks)('routeTemplate under %s', (_, framework) => {
  /** The templates of these requests, each read when its response is closed. */
  async function templates(setup: (app: express.Express) => void, ...paths: string[]): Promise<unknown[]> {
    const app = framework()
    const seen: unknown[] = []
    let wakeUp = (): void => {}
    app.use((req, res, next) => {
      res.on('close', () => {
        seen.push(routeTemplate(req, app))
        wakeUp()
      })
      next()
    })
    setup(app)
    app.use(((_error, _req, res, _next) => {
      res.status(500).end()
    }) as express.ErrorRequestHandler)
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    for (const path of paths) {
      const closed = new Promise<void>((resolve) => (wakeUp = resolve))
      await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)).text()
      await closed
    }
    server.close()
    return seen
  }
  const answer: express.RequestHandler = (_req, res) => {
    res.end()
  }
  const fail: express.RequestHandler = (_req, _res, next) => next(new Error('no'))
  /** A router without the path it is mounted with, as routers before 2.3 are. */
  const forgetPaths = (app: express.Express): void => {
    const forget = (stack: { rawPath?: unknown; handle: { stack?: never[] } }[]): void => {
      for (const layer of stack) {
        delete layer.rawPath
        if (layer.handle.stack) forget(layer.handle.stack)
      }
    }
    const of = app as unknown as Record<'_router' | 'router', { stack: never[] } | undefined>
    forget((of._router ?? of.router)!.stack)
  }

  it('of a mount of which several parameters are a part is one, whatever a client spells and encodes', async () => {
    const setup = (app: express.Express): void => {
      app.use('/of-:team', framework.Router().get('/users/:id', answer))
      app.use('/flights/:from-:to', framework.Router().get('/seats', answer))
      forgetPaths(app)
    }
    const teams = ['/of-a/users/1', '/OF-of/users/2', '/oF-a%2Fb/users/3', '/Of-%C3%BC/users/4']
    expect(await templates(setup, ...teams)).toEqual(teams.map(() => '/of-:team/users/:id'))
    const flights = ['a-b', 'a-a', 'to-from', 'x%2Fy-z', 'z-x%2Fy', 'x%2Fy-x%2Fy', '%3Fq-%23', 'ü-0'].map(
      (pair, index) => `/${index % 2 === 0 ? 'flights' : 'FLIGHTS'}/${pair}/seats`,
    )
    expect(await templates(setup, ...flights)).toEqual(flights.map(() => '/flights/:from-:to/seats'))
  })

  it('is the path of the route, or undefined without one', async () => {
    const seen = await templates(
      (app) => app.get('/users/:id', answer).get('/', answer),
      '/users/1?q=2',
      '/users/two',
      '/',
      '/no',
    )
    expect(seen).toEqual(['/users/:id', '/users/:id', '/', undefined])
  })

  it.each([
    ['as mounted', () => {}],
    ['where routers forget their paths', forgetPaths],
  ])('goes through routers and their parameters, %s', async (_, prepare) => {
    const setup = (app: express.Express): void => {
      const [tenants, users, root] = [framework.Router(), framework.Router(), framework.Router()]
      users.get('/:id', answer).get('/', answer)
      tenants.use('/:tenant/users', users)
      root.get('/inner', answer)
      app.use('/v1/tenants', tenants).use('/', root)
      prepare(app)
    }
    const paths = [
      '/v1/tenants/users/users/tenants',
      '/v1/tenants/acme/users',
      '/v1/tenants/b/users/9',
      '/inner',
    ]
    expect(await templates(setup, ...paths)).toEqual([
      '/v1/tenants/:tenant/users/:id',
      '/v1/tenants/:tenant/users',
      '/v1/tenants/:tenant/users/:id',
      '/inner',
    ])
  })

  it('is the same after an error has left the router', async () => {
    const setup = (app: express.Express): void => {
      app.use('/v1/:tenant', framework.Router().get('/profile', fail))
    }
    expect(await templates(setup, '/v1/acme/profile', '/v1/other/profile')).toEqual([
      '/v1/:tenant/profile',
      '/v1/:tenant/profile',
    ])
  })

  it('tells two mounts of one router apart', async () => {
    const setup = (app: express.Express): void => {
      const router = framework.Router().get('/x', answer)
      app.use('/a', router).use('/b', router)
    }
    expect(await templates(setup, '/a/x', '/b/x', '/a/x')).toEqual(['/a/x', '/b/x', '/a/x'])
  })

  it('knows where an app is mounted', async () => {
    const setup = (app: express.Express): void => {
      const inner = framework()
      inner.get('/users/:id', answer)
      inner.use('/deep', framework.Router().get('/er', answer))
      app.use('/admin/:realm', inner)
    }
    const [users, deep] = await templates(setup, '/admin/r/users/1', '/admin/r/deep/er')
    expect(users).toBe('/admin/:realm/users/:id')
    // Express 4 keeps no text of a mount below it.
    expect(deep).toBe(framework === express ? '/admin/:realm/deep/er' : '*/er')
  })

  it('says so where a mount is hidden, and never tells the URL', async () => {
    const setup = (app: express.Express): void => {
      const router = framework.Router().get('/er', answer)
      app.use('/t/:tenant', (req, res, next) => router(req, res, next))
    }
    expect(await templates(setup, '/t/acme/er')).toEqual(['*/er'])
  })

  it('names routes of several paths, and of expressions', async () => {
    const setup = (app: express.Express): void => {
      app.get(['/a', '/b'], answer).get(/^\/r\d+$/, answer)
    }
    expect(await templates(setup, '/b', '/r12')).toEqual(['/a|/b', '/^\\/r\\d+$/'])
  })
})
