import { runCluster } from '@scale/cluster'
import express from 'express'

// node app.js, under systemd, Docker or Kubernetes; kill -HUP is the rolling reload
await runCluster({
  workers: 2,
  start: () => {
    const app = express()
    app.get('/', (_req, res) => {
      res.json({ pid: process.pid })
    })
    return app.listen(process.env.PORT ?? 3000)
  },
})
