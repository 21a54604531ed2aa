#!/usr/bin/env node
import { scaleSlo } from './cli.js'

const { argv, env, stdout, stderr } = process
void scaleSlo(argv.slice(2), {
  env,
  out: (text) => stdout.write(text),
  error: (text) => stderr.write(text),
}).then((code) => {
  process.exitCode = code
})
