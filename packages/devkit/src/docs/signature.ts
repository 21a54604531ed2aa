import type { Node, Source } from '../source.js'

/** A declaration as its user sees it: without bodies, and without what is private. */
export function signatureOf(source: Source, declaration: Node): string {
  const node = (declaration.declaration ?? declaration) as Node
  switch (node.type) {
    case 'FunctionDeclaration':
      return textUntil(source, node, node.body as Node)
    case 'ClassDeclaration':
      return classSignature(source, node)
    case 'VariableDeclaration':
      return variableSignature(source, node)
    default:
      return source.text.slice(node.start, node.end)
  }
}

function textUntil({ text }: Source, node: Node, end: Node): string {
  return text.slice(node.start, end.start).trimEnd()
}

function classSignature(source: Source, node: Node): string {
  const body = node.body as Node
  const members = (body.body as Node[]).filter(isPublic).map((member) => {
    const comment = source.comments.findLast(({ end }) => end <= member.start)
    const isOwn = comment?.value.startsWith('*') && source.text.slice(comment.end, member.start).trim() === ''
    const doc = isOwn ? `${source.text.slice(comment!.start, comment!.end)}\n  ` : ''
    return `  ${doc}${memberSignature(source, member)}`
  })
  return [`${textUntil(source, node, body)} {`, ...members, '}'].join('\n')
}

function isPublic(member: Node): boolean {
  const { accessibility, key } = member as { accessibility?: string | null; key?: Node }
  return (
    (accessibility ?? 'public') === 'public' &&
    key?.type !== 'PrivateIdentifier' &&
    member.type !== 'StaticBlock'
  )
}

function memberSignature(source: Source, member: Node): string {
  const value = member.value as Node | null
  const body = value?.body as Node | null | undefined
  if (member.type === 'MethodDefinition' && body) return textUntil(source, member, body)
  if (member.type === 'PropertyDefinition' && value)
    return textUntil(source, member, value).replace(/\s*=$/, '')
  return source.text.slice(member.start, member.end)
}

/** With a type, the type says it all; without one, the value does (frozen defaults). */
function variableSignature(source: Source, node: Node): string {
  const { id, init } = (
    node.declarations as { id: Node & { typeAnnotation?: Node | null }; init: Node | null }[]
  )[0]!
  const end = id.typeAnnotation ? id.end : (((init?.body as Node | undefined)?.start ?? node.end) as number)
  return source.text.slice(node.start, end).trimEnd()
}
