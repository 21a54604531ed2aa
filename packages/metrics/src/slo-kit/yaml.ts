type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json | undefined }

/** Writes plain data as YAML that a person likes to read; strings are always quoted, so that none is taken for more. */
export function toYaml(value: unknown): string {
  return `${block(value as Json, '')}\n`
}

function block(value: Json, indent: string): string {
  if (typeof value !== 'object' || value === null) return scalar(value, indent)
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    return value.map((item) => `${indent}- ${block(item, `${indent}  `).trimStart()}`).join('\n')
  }
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => `${indent}${key}:${nested(item as Json, indent)}`)
    .join('\n')
}

function nested(value: Json, indent: string): string {
  const isBlock = typeof value === 'object' && value !== null && Object.keys(value).length > 0
  return isBlock ? `\n${block(value, `${indent}  `)}` : ` ${block(value, `${indent}  `)}`
}

function scalar(value: string | number | boolean, indent: string): string {
  if (typeof value !== 'string') return String(value)
  if (!value.includes('\n')) return JSON.stringify(value)
  return `|-\n${value
    .split('\n')
    .map((line) => indent + line)
    .join('\n')}`
}
