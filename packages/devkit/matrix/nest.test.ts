import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { optionalPeers } from '../packed/entries.js'
import { install } from '../packed/installation.js'
import { run } from '../src/run.js'

const app = `
import 'reflect-metadata'
import { Controller, Get, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { InvalidOption, ScaleError } from '@scale/core'
import { errorHandler, NotFound } from '@scale/errors'
import { rateLimit } from '@scale/rate-limit'
import { session } from '@scale/session'

@Controller()
class Hello {
  @Get()
  hello(): object {
    return { hello: new InvalidOption('x') instanceof ScaleError }
  }
}

@Module({ controllers: [Hello] })
class App {}

async function main(): Promise<void> {
  const app = await NestFactory.create(App, { logger: ['error'] })
  app.use(session({ allowMemoryStore: true }))
  app.use(rateLimit({ policies: [{ name: 'all', quota: 2, windowMs: 60_000 }], allowMemoryStore: true }))
  app.use('/gone', (_req: unknown, _res: unknown, next: (error: Error) => void) => next(new NotFound()))
  app.use(errorHandler())
  await app.listen(0, '127.0.0.1')
  const url = await app.getUrl()
  const answers = [await fetch(url), await fetch(url + '/gone'), await fetch(url)]
  console.log(answers.map(({ status }) => status).join(), await answers[0]!.text())
  await app.close()
}

void main()
`

let folder: string
beforeAll(async () => {
  const nest = Object.fromEntries(
    ['core', 'common', 'platform-express'].map((name) => [`@nestjs/${name}`, '^11.0.0']),
  )
  const others = {
    ...optionalPeers,
    ...nest,
    'reflect-metadata': '^0.2.0',
    rxjs: '^7.0.0',
    typescript: '~5.9.0',
  }
  folder = await install({ express: 5, ioredis: 6, installer: 'npm' }, others)
}, 300_000)
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

it('an app of Nest, compiled as Nest compiles, has our middleware', async () => {
  const compilerOptions = {
    module: 'commonjs',
    moduleResolution: 'node10',
    target: 'es2022',
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
    types: ['node'],
  }
  writeFileSync(join(folder, 'main.ts'), app)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }))
  const compiled = await run('npx', ['tsc', '-p', '.'], { cwd: folder })
  expect(compiled.output).toBe('')
  const { output } = await run(process.execPath, ['main.js'], { cwd: folder })
  expect(output).toBe('200,404,429 {"hello":true}\n')
}, 120_000)
