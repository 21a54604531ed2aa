import { jsonSchemaConverter, type Schema } from './schema.js'

/** `always` an array, however often it comes; or `repeated`: a single value where it comes once. */
export type ArrayKind = 'always' | 'repeated'

/** The members of an object schema that may be arrays, by name. */
export type ArrayMembers = ReadonlyMap<string, ArrayKind>

/**
 * Which members a schema takes as arrays, by the JSON Schema of what it accepts: `$ref`, `anyOf`, `oneOf` and `allOf` are
 * followed, at the root too, and null counts for nothing. A member that may also be something else is `repeated`.
 *
 * @returns `undefined` for a library without JSON Schema, and for a schema that it cannot express
 */
export function arrayMembers(schema: Schema): ArrayMembers | undefined {
  try {
    const members = new Map<string, ArrayKind>()
    const root = jsonSchemaConverter(schema)?.input({
      target: 'draft-2020-12',
      // zod gives up on a schema with one member that JSON Schema cannot express, unless told not to.
      libraryOptions: { unrepresentable: 'any' },
    }) as Node | undefined
    if (root === undefined) return undefined
    for (const [name, nodes] of membersOf(root, root)) {
      const forms = new Set(nodes.flatMap((node) => formsOf(node, root)))
      if (forms.has('array')) members.set(name, forms.has('other') ? 'repeated' : 'always')
    }
    return members
  } catch {
    return undefined
  }
}

interface Node {
  $ref?: string
  type?: string | readonly string[]
  properties?: Readonly<Record<string, Node>>
  anyOf?: readonly Node[]
  oneOf?: readonly Node[]
  allOf?: readonly Node[]
}

/** Deep enough for any schema that a person writes, and an end for one that refers to itself. */
const MAX_LEVELS = 32

/** What the schema says of each member, wherever it says so. */
function membersOf(
  node: Node,
  root: Node,
  level = 0,
  members = new Map<string, Node[]>(),
): Map<string, Node[]> {
  if (level > MAX_LEVELS) return members
  for (const [name, member] of Object.entries(node.properties ?? {})) {
    members.set(name, [...(members.get(name) ?? []), member])
  }
  for (const next of partsOf(node, root)) membersOf(next, root, level + 1, members)
  return members
}

type Form = 'array' | 'other'

/** Which forms a value may have. `other` also where nothing is said: what could be anything is no array. */
function formsOf(node: Node, root: Node, level = 0): Form[] {
  if (level > MAX_LEVELS) return ['other']
  if (node.type !== undefined) {
    const types = [node.type].flat().filter((type) => type !== 'null')
    return types.map((type) => (type === 'array' ? 'array' : 'other'))
  }
  const parts = partsOf(node, root)
  if (parts.length > 0) {
    const forms = parts.map((part) => formsOf(part, root, level + 1))
    // All of `allOf` hold at once, so one that only takes arrays decides.
    return forms.find((form) => node.allOf && form.length === 1 && form[0] === 'array') ?? forms.flat()
  }
  return ['other']
}

function partsOf(node: Node, root: Node): Node[] {
  const target = node.$ref === undefined ? [] : [resolve(node.$ref, root)]
  return [...target, ...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]
}

/** A reference within the document: a JSON pointer as URI fragment (RFC 6901 §6). */
function resolve(reference: string, root: Node): Node {
  const names = decodeURIComponent(reference.replace(/^#/, '')).split('/').slice(1)
  const found = names.reduce<unknown>(
    (node, name) => (node as Record<string, unknown>)[name.replaceAll('~1', '/').replaceAll('~0', '~')],
    root,
  )
  return found as Node
}
