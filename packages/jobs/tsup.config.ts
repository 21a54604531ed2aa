import type { Options } from 'tsup'
import { library } from '../devkit/src/build.js'

const config: Options = library({ entries: ['index', 'testing/index'] })

export default config
