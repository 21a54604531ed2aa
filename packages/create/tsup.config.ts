import type { Options } from 'tsup'
import { library } from '../devkit/src/build.js'
import { exampleFiles } from '../devkit/src/example.js'

const config: Options = {
  ...library({ entries: ['index', 'cli/bin'] }),
  // What `src/template.ts` declares.
  define: { EXAMPLE_FILES: JSON.stringify(exampleFiles()) },
}

export default config
