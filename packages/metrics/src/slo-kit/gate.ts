import { number, resolveOptions, string } from '@scale/core'
import { rounded } from './burn.js'
import { resolveSlo, type SloOptions } from './objective.js'
import { badRatio } from './rules.js'

/** What a gate asks. */
export interface GateOptions {
  /** Address of a Prometheus, or of what speaks its API: `http://prometheus:9090`. */
  url: string
  /** Which service promises what; the same that the rules were made from. Default: that of `prometheusRules` */
  slo?: SloOptions
  /** The share of each budget that must be left, below 1. Default 0 */
  minRemaining?: number
  /** For a Prometheus behind a proxy: sent as a bearer token, and never printed. Default none */
  token?: string
  /** How long the Prometheus may take for each question, in ms. Default 30,000 */
  timeoutMs?: number
}

/** What `sloGate` does unless told otherwise. */
export const gateDefaults: { readonly minRemaining: number; readonly timeoutMs: number } = Object.freeze({
  minRemaining: 0,
  timeoutMs: 30_000,
})

/** What is left of the budget of one objective of one service. */
export interface Budget {
  objective: string
  /** Labels of the service. */
  service: Readonly<Record<string, string>>
  /** 1: untouched; 0: spent; below: overspent. */
  remaining: number
  isEnough: boolean
}

/**
 * Asks a Prometheus how much of each error budget is left, over the whole window.
 *
 * @returns one of each objective and service; an objective of which nothing is known, because no request counted, is
 *   `undefined` in none of them: it is an error
 * @throws {InvalidOption}
 * @throws {Error} the Prometheus did not answer, or knows no request of an objective
 */
export async function sloGate(options: GateOptions): Promise<Budget[]> {
  const given = resolveOptions<GateOptions, typeof gateDefaults>('sloGate', options, {
    checks: {
      url: (value) => (URL.canParse(String(value)) ? undefined : 'a URL'),
      slo: () => undefined,
      minRemaining: number(-1_000, 1),
      token: string(1, 8_192),
      timeoutMs: number(1, 600_000),
    },
    defaults: gateDefaults,
    required: ['url'],
  })
  const slo = resolveSlo(given.slo)
  const budgets: Budget[] = []
  for (const objective of slo.objectives) {
    const spent = `(${badRatio(objective, slo, `${slo.windowDays}d`)}) / ${rounded(1 - objective.target)}`
    const vector = await ask(given, `1 - ${spent}`)
    if (vector.length === 0)
      throw new Error(`Prometheus knows no request that counts for \`${objective.name}\`.`)
    for (const { metric, value } of vector) {
      const remaining = Number(value[1])
      const isEnough = remaining >= given.minRemaining
      budgets.push({ objective: objective.name, service: metric, remaining, isEnough })
    }
  }
  return budgets
}

interface Sample {
  metric: Readonly<Record<string, string>>
  value: [at: number, value: string]
}

async function ask({ url, token, timeoutMs = 0 }: GateOptions, query: string): Promise<Sample[]> {
  const target = new URL(`${url.replace(/\/$/, '')}/api/v1/query`)
  target.searchParams.set('query', query)
  const response = await fetch(target, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((cause: unknown) => {
    throw new Error(`Prometheus did not answer at ${target.origin}.`, { cause })
  })
  const body = (await response.json().catch(() => ({}))) as Answer
  if (body.status !== 'success' || body.data?.resultType !== 'vector') {
    throw new Error(`Prometheus answered ${response.status}: ${body.error ?? 'no result of a query'}.`)
  }
  return body.data.result
}

interface Answer {
  status?: string
  error?: string
  data?: { resultType: string; result: Sample[] }
}

/** @throws {Error} it is no JSON */
export function parseSlo(text: string): SloOptions {
  try {
    return JSON.parse(text) as SloOptions
  } catch (cause) {
    throw new Error('the file of `--slo` is no JSON', { cause })
  }
}
