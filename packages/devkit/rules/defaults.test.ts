import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DocumentedDefault, documentedDefault, tabledDefault } from '../src/defaults.js'
import { tablesOf } from '../src/markdown.js'
import {
  exportsOf,
  type Member,
  membersOf,
  type Node,
  parseSource,
  type Source,
  walk,
} from '../src/source.js'
import { filesUnder, fromRoot, publishedPackages } from '../src/workspace.js'

// The convention is in docs/contributing.md: `XOptions` and `xDefaults` stand in one `options.ts`.

interface Options {
  name: string
  members: Member[]
  /** What the module really falls back to. */
  defaults: Record<string, unknown> | undefined
}

async function optionsIn(path: string): Promise<Options[]> {
  const module = (await import(path)) as Record<string, unknown>
  return exportsOf(path)
    .filter(({ name, declaration }) => name.endsWith('Options') && declaration?.source.path === path)
    .map(({ name, declaration }) => ({
      name,
      members: membersOf(declaration!.source, declaration!.node),
      defaults: module[defaultsName(name)] as Record<string, unknown> | undefined,
    }))
    .filter(({ members }) => members.length > 0)
}

/** `GuardOptions` → `guardDefaults` */
function defaultsName(options: string): string {
  const stem = options.slice(0, -'Options'.length)
  return `${stem[0]!.toLowerCase()}${stem.slice(1)}Defaults`
}

/** What is wrong with the documented default of one option; `undefined` if nothing is. */
function complaint(
  name: string,
  documented: DocumentedDefault,
  defaults: Record<string, unknown>,
): string | undefined {
  switch (documented.kind) {
    case 'unclear':
      return `${name}: "Default ${documented.text}" is neither a literal nor none; words want a colon after Default`
    case 'value':
      return same(defaults[name], documented.value)
        ? undefined
        : `${name}: documented ${JSON.stringify(documented.value)}, really ${JSON.stringify(defaults[name])}`
    case 'none':
      return defaults[name] === undefined
        ? undefined
        : `${name}: documented none, really ${JSON.stringify(defaults[name])}`
    case 'code':
      return isLiteral(defaults[name]) && defaults[name] !== documented.text
        ? `${name}: documented \`${documented.text}\`, really ${JSON.stringify(defaults[name])}`
        : undefined
    case 'words':
      return isLiteral(defaults[name])
        ? `${name}: documented in words, really ${JSON.stringify(defaults[name])}`
        : undefined
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function isLiteral(value: unknown): boolean {
  return ['number', 'boolean', 'string'].includes(typeof value)
}

const files = publishedPackages().flatMap(({ folder }) =>
  filesUnder(join(folder, 'src'), (path) => path.endsWith('.ts')).filter(
    (path) =>
      basename(path) === 'options.ts' || exportsOf(path).some(({ name }) => /^[a-z]\w*Defaults$/.test(name)),
  ),
)

// core's `options.ts` is the checker itself, and has no options of its own.
describe.each(files.map((path) => ({ path, file: fromRoot(path) })))('$file', ({ path }) => {
  it('documents for each optional option its default, and for each default its option', async () => {
    const complaints = (await optionsIn(path)).flatMap(({ name, members, defaults = {} }) => [
      ...members
        .filter(({ optional, doc }) => optional && documentedDefault(doc ?? '') === undefined)
        .map((member) => `${name}.${member.name}: the docstring names no default`),
      ...Object.keys(defaults)
        .filter((key) => !members.some((member) => member.name === key))
        .map((key) => `${defaultsName(name)}.${key}: no such option`),
    ])
    expect(complaints).toEqual([])
  })

  it('tells the truth about each', async () => {
    const complaints = (await optionsIn(path)).flatMap(({ name, members, defaults = {} }) =>
      members.flatMap((member) => {
        const documented = documentedDefault(member.doc ?? '')
        const wrong = documented && complaint(member.name, documented, defaults)
        return wrong ? [`${name}.${wrong}`] : []
      }),
    )
    expect(complaints).toEqual([])
  })
})

describe.each(publishedPackages())('$path', ({ folder }) => {
  it('tells the truth about defaults in the options tables of its README', async () => {
    const readme = join(folder, 'README.md')
    const tables = existsSync(readme) ? tablesOf(readFileSync(readme, 'utf8')) : []
    const all = (
      await Promise.all(files.filter((path) => path.startsWith(`${folder}/`)).map(optionsIn))
    ).flat()
    const wrong = tables
      .filter(([header]) => header?.includes('option') && header.includes('default'))
      .flatMap(([header, ...rows]) =>
        rows.flatMap((row) =>
          complaintsOfRow(row[header!.indexOf('option')]!, row[header!.indexOf('default')]!, all),
        ),
      )
    expect(wrong).toEqual([])
  })

  it('tells the truth about defaults of parameters', () => {
    const wrong = filesUnder(join(folder, 'src'), (path) => path.endsWith('.ts')).flatMap((path) =>
      complaintsOfParameters(path).map((text) => `${fromRoot(path)}: ${text}`),
    )
    expect(wrong).toEqual([])
  })
})

/** A row of an options table holds if one of the package's options of that name has that default. */
function complaintsOfRow(cell: string, text: string, all: Options[]): string[] {
  const documented = tabledDefault(text)
  // "see below", "required", "from the server": words for people.
  if (documented.kind === 'unclear') return []
  return [...cell.matchAll(/`(\w+)[^`]*`/g)].flatMap(([, name]) => {
    const owners = all.filter(({ members }) => members.some((member) => member.name === name))
    if (owners.length === 0) return [`${name}: no such option in any options.ts`]
    // `ttlMs` as the default of another option: what that one is set to.
    const isOption = (word: unknown): boolean =>
      owners.some(({ members }) => members.some((one) => one.name === word))
    const meant =
      documented.kind === 'value' && isOption(documented.value) ? { kind: 'words' as const } : documented
    const complaints = owners.map(({ defaults = {} }) => complaint(name!, meant, defaults))
    return complaints.includes(undefined) ? [] : [complaints[0]!]
  })
}

/** Compares `@param x … Default 1` with `x = 1`. A signature without a body has nothing to compare with. */
function complaintsOfParameters(path: string): string[] {
  const source = parseSource(path)
  return source.comments
    .filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
    .flatMap((comment) => {
      const owner = functionAfter(source, comment.end)
      if (owner?.body == null) return []
      return [...comment.value.matchAll(/@param (\w+) +([^@]*)/g)].flatMap(([, name, text]) => {
        const documented = documentedDefault(text!)
        const actual = parameterDefault(source, owner, name!) ?? 'none'
        if (documented?.kind !== 'value' || documented.value === actual) return []
        return same(documented, tabledDefault(actual))
          ? []
          : [`${name}: documented otherwise than \`${actual}\``]
      })
    })
}

function functionAfter(source: Source, position: number): Node | undefined {
  let first: Node | undefined
  walk(source.body, (node) => {
    const takesParameters = Array.isArray(node.params) && node.start >= position
    if (takesParameters && (first === undefined || node.start < first.start)) first = node
  })
  return first
}

/** The text of the default of a parameter. */
function parameterDefault(source: Source, owner: Node, name: string): string | undefined {
  const pattern = (owner.params as Node[]).find(
    ({ type, left }) => type === 'AssignmentPattern' && (left as { name?: string }).name === name,
  )
  const value = pattern?.right as Node | undefined
  return value && source.text.slice(value.start, value.end)
}
