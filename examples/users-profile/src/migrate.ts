import { loadSettings } from './config.js'
import { infrastructure } from './infrastructure/infrastructure.js'
import { MigrationFailed, migrate } from './infrastructure/migrations.js'

// Brings the tables to the newest version and ends: for a step of a pipeline in front of the deploy. A start does the same.

try {
  const { databaseUrl, stop } = await infrastructure(loadSettings(process.env, 'exit').values)
  const ran = await migrate(databaseUrl)
  process.stdout.write(ran.length === 0 ? 'The tables are up to date.\n' : `${ran.join('\n')}\n`)
  await stop()
} catch (error) {
  if (!(error instanceof MigrationFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.exitCode
}
