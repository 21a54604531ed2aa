import { runMutations } from '@scale/devkit/mutations'
import { changes } from './changes.js'

// `pnpm mutations [part of a name]…`. The lives of the model are few where all tests are run; what is known to have been wrong they
// have to find, so that there are more of them here.
process.env.SESSION_MODEL_RUNS ??= '60'
runMutations('session', changes)
