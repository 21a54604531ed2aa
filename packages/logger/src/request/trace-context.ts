import { randomText } from '@scale/core'

/** Where a request stands in a trace. @see https://www.w3.org/TR/trace-context-2/ */
export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  traceId: string
  /** 16 lower-case hex digits, not all zero: the caller's part of the trace. */
  parentId: string
  /** Bits 1 (sampled) and 2 (random) of what was sent; the others have no meaning in this version. */
  flags: number
}

/** The caller, or who began the trace, records it. */
export const SAMPLED = 1
/** The last 56 bits of the trace id are random. */
export const RANDOM = 2

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const VERSION_00_LENGTH = 55

/**
 * Reads a `traceparent` header by the letter of Trace Context level 2, §3.2.
 *
 * @param header  Node joins repeated headers by `, `, which no valid one contains
 * @returns `undefined` if it is not valid: then the trace starts anew, and `tracestate` is dropped
 */
export function parseTraceparent(header: string | undefined): TraceParent | undefined {
  if (header === undefined || header.length < VERSION_00_LENGTH) return undefined
  const match = TRACEPARENT.exec(header)
  if (match === null) return undefined
  const [, version, traceId, parentId, flags, rest] = match
  if (version === 'ff') return undefined
  if (version === '00' && rest !== undefined) return undefined
  if (isZero(traceId!) || isZero(parentId!)) return undefined
  return { traceId: traceId!, parentId: parentId!, flags: Number.parseInt(flags!, 16) & (SAMPLED | RANDOM) }
}

function isZero(id: string): boolean {
  return /^0+$/.test(id)
}

const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/
const MAX_MEMBERS = 32

/**
 * Reads a `tracestate` header, §3.3: repeated headers joined by `,`, optional white space around members, empty members.
 * Of a key that comes twice the first, which is the newer, counts.
 *
 * @returns the members in their order, or `undefined` if the header is not valid, or there are more than 32
 */
export function parseTracestate(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const members = new Map<string, string>()
  let count = 0
  for (const text of header.split(',')) {
    const member = withoutOuterSpace(text)
    if (member === '') continue
    const at = member.indexOf('=')
    const [key, value] = [member.slice(0, at), member.slice(at + 1)]
    if (at === -1 || !KEY.test(key) || !VALUE.test(value)) return undefined
    if (++count > MAX_MEMBERS) return undefined
    if (!members.has(key)) members.set(key, value)
  }
  return members.size === 0 ? undefined : [...members].map(([key, value]) => `${key}=${value}`).join(',')
}

/** Spaces and tabs around a member. Not by a pattern: `[ \t]+$` tries anew at each of many spaces inside. */
function withoutOuterSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text[start])) start++
  while (end > start && isSpace(text[end - 1])) end--
  return text.slice(start, end)
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/** Version 00, the only one that is written. */
export function formatTraceparent(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-0${flags & (SAMPLED | RANDOM)}`
}

/** Random bytes in hex digits, never all zero. */
export function randomHex(bytes: number): string {
  const hex = randomText(bytes, 'hex')
  return hex.startsWith('0000') && isZero(hex) ? randomHex(bytes) : hex
}

const SPAN_ID_BYTES = 8

/** 16 random hex digits. */
export function newSpanId(): string {
  return randomHex(SPAN_ID_BYTES)
}

/**
 * Decides by the trace id, so that every service that is asked decides alike: the last 56 bits as a number, compared
 * with a threshold.
 *
 * @param ratio  share of traces to keep, 0–1
 * @see https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
export function isKept(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true
  // 52 of the 56 bits: what a number holds exactly.
  return Number.parseInt(traceId.slice(18, 31), 16) >= (1 - ratio) * 2 ** 52
}
