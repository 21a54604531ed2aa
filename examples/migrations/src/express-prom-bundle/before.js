import express from 'express'
import promBundle from 'express-prom-bundle'

const app = express()
app.use(promBundle({ includeMethod: true, includePath: true }))

app.get('/orders/:id', (req, res) => {
  res.json({ id: req.params.id })
})

export const server = app.listen(process.env.PORT ?? 3000)
