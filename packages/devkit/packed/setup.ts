import { packAll } from '../src/packing.js'

/** Vitest calls it once, before the tests of `check:packed`. */
export default packAll
