#!/usr/bin/env node
import { scaleSlo } from './cli.js'

process.exitCode = await scaleSlo(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
})
