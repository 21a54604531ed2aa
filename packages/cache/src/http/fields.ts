import { createHash } from 'node:crypto'
import { formatStructuredString } from '@scale/core'
import type { CapturedHead } from '../handler/capture.js'
import type { HandlerRun } from '../handler/run.js'
import { isEncodable } from './encodings.js'
import type { HeaderLine } from './stored-response.js'
import type { Refusal, Storable } from './storing.js'

/** A field that is set, or added to, before the head is sent. */
export interface FieldChange {
  readonly name: string
  readonly value: string
  readonly append: boolean
}

/** What clients and caches downstream are told beyond what the handler said. */
export function downstreamFields(
  head: CapturedHead,
  found: Storable | Refusal,
  task: HandlerRun,
): FieldChange[] {
  const changes: FieldChange[] = []
  if (found.store) {
    const said = String(head.headers.get('vary') ?? '').toLowerCase()
    const names = encodable(head, task) ? [...found.vary, 'accept-encoding'] : found.vary
    const added = names.filter((name) => !said.split(',').some((other) => other.trim() === name))
    if (added.length > 0) changes.push({ name: 'Vary', value: added.join(', '), append: true })
  }
  for (const [name, value] of downstreamLines(head, found, task)) {
    changes.push({ name, value: String(value), append: false })
  }
  return changes
}

/** Fields that stored and first responses share. */
export function downstreamLines(
  head: CapturedHead,
  found: Storable | Refusal,
  task: HandlerRun,
): HeaderLine[] {
  const lines: HeaderLine[] = []
  if (task.plan.partitioned) {
    const said = text(head.headers.get('cache-control'))
    if (said === undefined || !/\b(?:private|no-store)\b/i.test(said)) {
      lines.push([
        'Cache-Control',
        said === undefined ? 'private' : `${said.replace(/\bpublic\b,?\s*/i, '')}, private`,
      ])
    }
  }
  if (found.store && task.options.sendTags && task.tags.length > 0) {
    const tags = task.tags.filter((tag) => !tag.startsWith('\0'))
    if (tags.length > 0) {
      lines.push(['Cache-Groups', tags.map(formatStructuredString).join(', ')])
      lines.push(['Surrogate-Key', tags.filter((tag) => /^[\x21-\x7e]+$/.test(tag)).join(' ')])
    }
  }
  return lines
}

/** Later lines win; with a date, a validator, and what it varies on. */
export function completed(
  lines: HeaderLine[],
  status: number,
  body: Buffer,
  vary: readonly string[],
): HeaderLine[] {
  const byName = new Map(lines.map((line) => [line[0].toLowerCase(), line]))
  if (!byName.has('date')) byName.set('date', dateLine())
  if (status === 200 && !byName.has('etag')) {
    byName.set('etag', ['ETag', `"${createHash('sha1').update(body).digest('base64url')}"`])
  }
  if (vary.length > 0) byName.set('vary', ['Vary', vary.join(', ')])
  return [...byName.values()]
}

export function dateLine(): HeaderLine {
  return ['Date', new Date().toUTCString()]
}

/** Groups that the response names, as a wire format of tags. */
export function groupsOf(head: CapturedHead): string[] {
  return [text(head.headers.get('cache-groups')) ?? '', text(head.headers.get('surrogate-key')) ?? '']
}

/** Whether the response may go out in another content coding. */
export function encodable(head: CapturedHead, { options }: HandlerRun): boolean {
  return options.encodings.length > 0 && isEncodable(head.status, head.headers)
}

/** A field as one line. */
export function text(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined ? undefined : typeof value === 'string' ? value : value.join(', ')
}
