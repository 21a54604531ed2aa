import { runCluster } from '@scale/cluster'
import express from 'express'

await runCluster({
  workers: 1,
  admin: { port: Number(process.env.ADMIN_PORT ?? 9464) }, // /livez, /readyz, /startupz, off the public port
  drain: { timeoutMs: 10_000 },
  start: async ({ lifecycle }) => {
    await lifecycle.add('database', {
      check: async () => true,
      stop: () => console.log('database closed'),
    })
    const app = express()
    app.get('/slow', (_req, res) => {
      console.log('at work')
      setTimeout(() => res.json({ done: true }), 500)
    })
    return app.listen(process.env.PORT ?? 3000)
  },
})
