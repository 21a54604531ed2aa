import { library } from '@scale/devkit/build'
import type { Options } from 'tsup'

const config: Options = library({ entries: ['index', 'testing/index'] })

export default config
