import { runMutations } from '@scale/devkit/mutations'
import { changes } from './changes.js'

// `pnpm mutations [part of a name]…`
runMutations('jobs', changes)
