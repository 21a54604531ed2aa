import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cases, elsewhere } from '../test/vectors/auth0.js'

/** Holds the names of their tests against those that are stated here. @returns whether none is missing, or gone there */
export async function tryAuth0(checkout: string): Promise<boolean> {
  let areAllThere = true
  for (const [file, stated] of Object.entries(cases)) {
    const text = readFileSync(join(checkout, 'packages', file), 'utf8')
    const names = [...text.matchAll(/^\s*it\(\s*(['"`])(.+?)\1,/gm)].map(([, , name]) => name!)
    const missing = names.filter((name) => !(name in stated) && !elsewhere.some(([part]) => part.test(name)))
    const gone = Object.keys(stated).filter((name) => !names.includes(name))
    let wrong = 0
    for (const [name, [expected, run]] of Object.entries(stated)) {
      const found = await run()
      if (found === expected) continue
      wrong++
      console.log(`${file}: ${name}: ${found}, not ${expected}`)
    }
    for (const name of missing) console.log(`${file}: not stated: ${name}`)
    for (const name of gone) console.log(`${file}: not theirs any more: ${name}`)
    console.log(
      `${file}: ${names.length} tests, ${Object.keys(stated).length} stated here, ${wrong} end otherwise`,
    )
    areAllThere &&= missing.length + gone.length + wrong === 0
  }
  for (const [, why] of elsewhere) console.log(`not stated: ${why}`)
  return areAllThere
}
