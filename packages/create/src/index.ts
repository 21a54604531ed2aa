export { type Created, create } from './create.js'
export { FolderNotEmpty } from './errors.js'
export { type CreateOptions, createDefaults, type Part } from './options.js'
