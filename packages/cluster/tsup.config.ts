import { library } from '@scale/devkit/build'
import type { Options } from 'tsup'

const config: Options = library()

export default config
