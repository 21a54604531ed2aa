// A hundred thousand requests in every spelling of every mount, on Express 5 and 4: the number of series is that of the routes. Ends
// non-zero if it is not. `pnpm --filter @scale/metrics soak`
import { frameworks } from '../test/support/frameworks.js'
import { floodSpellings } from '../test/support/spellings.js'

const COUNT = Number(process.argv[2] ?? 100_000)
for (const [name, framework] of frameworks) {
  const { routes, expected, counted } = await floodSpellings(framework, COUNT, 1 + (Date.now() % 1_000_000))
  const isRight = counted === COUNT && routes.sort().join('\n') === expected.sort().join('\n')
  console.log(`${name}: ${counted} requests, ${routes.length} series, ${expected.length} routes`)
  if (!isRight) {
    console.log(routes.filter((route) => !expected.includes(route)).join('\n'))
    process.exitCode = 1
  }
}
