import express from 'express'
import morgan from 'morgan'

const app = express()
app.use(morgan('combined'))

app.get('/orders/:id', (req, res) => {
  res.json({ id: req.params.id })
})

export const server = app.listen(process.env.PORT ?? 3000)
