import { MultipartRefused } from './errors.js'
import type { FileRule, MultipartRules } from './options.js'
import type { UploadedFile } from './uploaded-file.js'

/** What has come of a form, and what of it is stored. */
export class Form {
  /** Without a prototype, so that a field may have any name. */
  readonly body: Record<string, unknown> = Object.create(null)
  readonly #rules: MultipartRules
  readonly #counts = new Map<string, number>()
  readonly #stored: unknown[] = []

  constructor(rules: MultipartRules) {
    this.#rules = rules
  }

  addField(name: string, value: string): void {
    if (Object.hasOwn(this.#rules.files, name)) throw new MultipartRefused(422, name, 'Is not a file.')
    const before = this.body[name]
    this.body[name] = before === undefined ? value : [before, value].flat()
  }

  /** Counts one more file. */
  ruleOfNext(name: string): FileRule {
    if (!Object.hasOwn(this.#rules.files, name)) throw new MultipartRefused(422, name, 'Takes no file.')
    const rule = this.#rules.files[name]!
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    const { maxCount = 1 } = rule
    if (count > maxCount) throw new MultipartRefused(413, name, `Has more than ${maxCount} files.`)
    return rule
  }

  keepStored(stored: unknown): void {
    this.#stored.push(stored)
  }

  addFile(name: string, file: UploadedFile): void {
    const { maxCount = 1 } = this.#rules.files[name]!
    this.body[name] = maxCount === 1 ? file : [this.body[name] ?? [], file].flat()
  }

  /** Takes back what was stored. What fails there is a warning of the process: the request has its answer. */
  removeStored(): void {
    const { remove } = this.#rules
    if (remove === undefined) return
    for (const stored of this.#stored.splice(0)) {
      Promise.resolve(stored).then(remove).catch(warn)
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}
