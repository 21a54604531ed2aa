import { createRequire, syncBuiltinESMExports } from 'node:module'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import type express from 'express'

/**
 * OpenTelemetry's own instrumentations, on, and Express as they patch it: by `require`, as a program does that loads them first.
 */
export function instrumented(): typeof express {
  registerInstrumentations({ instrumentations: [new HttpInstrumentation(), new ExpressInstrumentation()] })
  const require = createRequire(import.meta.url)
  // What is required is patched, and what is imported shows it.
  require('node:http')
  syncBuiltinESMExports()
  return require('express') as typeof express
}
