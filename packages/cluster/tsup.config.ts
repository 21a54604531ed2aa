import type { Options } from 'tsup'
import { library } from '../devkit/src/build.js'

const config: Options = library({ entries: ['index', 'cli/bin'] })

export default config
