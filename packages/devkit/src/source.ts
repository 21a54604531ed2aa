import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Comment, parseSync } from 'oxc-parser'

/** A node of the syntax tree, as far as the rules look at it. */
export interface Node {
  type: string
  start: number
  end: number
  [field: string]: unknown
}

/** A parsed TypeScript file. */
export interface Source {
  path: string
  text: string
  body: Node[]
  comments: Comment[]
}

/** @throws {Error} the file is not TypeScript */
export function parseSource(path: string): Source {
  const text = readFileSync(path, 'utf8')
  const { program, comments, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`)
  return { path, text, body: program.body as unknown as Node[], comments }
}

/** Calls `visit` for each node under `value`, outermost first. */
export function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const element of value) walk(element, visit)
  } else if (typeof value === 'object' && value !== null) {
    if (typeof (value as Node).type === 'string') visit(value as Node)
    for (const field of Object.values(value)) walk(field, visit)
  }
}

/** Every module that a file names: imported, re-exported, required, or mentioned in a type. */
export function importedModules({ body }: Source): string[] {
  const modules = new Set<string>()
  walk(body, (node) => {
    const name = moduleNamedBy(node)
    if (name !== undefined) modules.add(name)
  })
  return [...modules]
}

function moduleNamedBy(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return stringValue(node.source)
    case 'TSExternalModuleReference':
      return stringValue(node.expression)
    case 'CallExpression':
      return (node.callee as Node).name === 'require' ? stringValue((node.arguments as Node[])[0]) : undefined
    default:
      return undefined
  }
}

function stringValue(node: unknown): string | undefined {
  const value = (node as { value?: unknown } | null | undefined)?.value
  return typeof value === 'string' ? value : undefined
}

/** True if a file re-exports another wholesale. */
export function exportsStar({ body }: Source): boolean {
  return body.some(({ type }) => type === 'ExportAllDeclaration')
}

/** What a name that a file exports stands for. */
export interface Export {
  name: string
  /** Where it is declared: the file, and the declaration in it. None for a name of another package. */
  declaration: { source: Source; node: Node; doc: string | undefined } | undefined
}

/** The names that a file exports, each with its declaration, which may be in another file of the package. */
export function exportsOf(path: string): Export[] {
  const source = parseSource(path)
  return source.body
    .filter(({ type }) => type === 'ExportNamedDeclaration' || type === 'ExportDefaultDeclaration')
    .flatMap((node) => {
      const from = stringValue(node.source)
      if (node.declaration) {
        const names =
          node.type === 'ExportDefaultDeclaration' ? ['default'] : declaredNames(node.declaration as Node)
        return names.map((name) => ({ name, declaration: { source, node, doc: docBefore(source, node) } }))
      }
      return (node.specifiers as Node[]).map((specifier) => {
        const name = identifier(specifier.exported)
        return { name, declaration: resolve(source, identifier(specifier.local), from) }
      })
    })
}

function identifier(node: unknown): string {
  const { name, value } = node as { name?: string; value?: string }
  return name ?? value ?? 'default'
}

function resolve(source: Source, name: string, from: string | undefined): Export['declaration'] {
  if (from === undefined) return declarationIn(source, name)
  if (!from.startsWith('.')) return undefined
  const path = join(dirname(source.path), from.replace(/\.js$/, '.ts'))
  if (!existsSync(path)) throw new Error(`${source.path} names ${from}, which is not there`)
  return exportsOf(path).find((candidate) => candidate.name === name)?.declaration
}

/** `export { x }` of something declared, or imported, elsewhere in the same file. */
function declarationIn(source: Source, name: string): Export['declaration'] {
  for (const node of source.body) {
    if (declaredNames(node).includes(name)) return { source, node, doc: docBefore(source, node) }
    if (node.type !== 'ImportDeclaration') continue
    const specifier = (node.specifiers as Node[]).find((one) => identifier(one.local) === name)
    if (specifier) return resolve(source, identifier(specifier.imported), stringValue(node.source))
  }
}

function declaredNames(declaration: Node): string[] {
  if (declaration.type === 'VariableDeclaration') {
    return (declaration.declarations as Node[]).map(({ id }) => identifier(id))
  }
  return declaration.id ? [identifier(declaration.id)] : []
}

/** The text of the docstring right before a node, without its frame; `undefined` if there is none. */
function docBefore({ text, comments }: Source, node: Node): string | undefined {
  // Between the two there may be lines for a linter.
  let start = node.start
  let comment = comments.findLast(({ end }) => end <= start)
  while (comment?.type === 'Line' && text.slice(comment.end, start).trim() === '') {
    start = comment.start
    comment = comments.findLast(({ end }) => end <= start)
  }
  if (comment?.type !== 'Block' || !comment.value.startsWith('*')) return undefined
  if (text.slice(comment.end, start).trim() !== '') return undefined
  return comment.value
    .slice(1)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim()
}

/** A member of an interface or of an object type. */
export interface Member {
  name: string
  optional: boolean
  doc: string | undefined
  node: Node
}

/** The properties and methods that an interface declares. */
export function membersOf(source: Source, declaration: Node): Member[] {
  const inner = (declaration.declaration ?? declaration) as Node
  if (inner.type !== 'TSInterfaceDeclaration') return []
  return ((inner.body as Node).body as Node[])
    .filter(({ type }) => type === 'TSPropertySignature' || type === 'TSMethodSignature')
    .map((node) => ({
      name: identifier(node.key),
      optional: node.optional === true,
      doc: docBefore(source, node),
      node,
    }))
}
