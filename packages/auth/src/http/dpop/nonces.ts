import { createHmac, timingSafeEqual } from 'node:crypto'

/** Nonces of a server (RFC 9449 §8, §9). */
export interface Nonces {
  /** The one to be used from now on. */
  current(nowMs: number): string
  /**
   * @returns `fresh`; `aging`: still good, and the client should be given the current one; `unusable`: too old, or not
   *   ours
   */
  judge(nonce: string, nowMs: number): 'fresh' | 'aging' | 'unusable'
}

/** 128 bits of the code. */
const CODE_LENGTH = 22

/**
 * Nonces that no store has to remember: the number of a slot of time and a code over it, by a secret that all processes
 * have. One is good in its slot and in the next, so for half of `lifeMs` at least and all of it at most; and in the one
 * before, by a clock that is behind.
 *
 * @param secrets  the first one makes codes; those of the others, which came before it, are still good
 */
export function nonces(secrets: readonly string[], lifeMs: number): Nonces {
  const slotMs = lifeMs / 2
  let known: { slot: number; nonce: string } | undefined

  function codeOf(secret: string, slot: string): string {
    return createHmac('sha256', secret).update(`dpop nonce ${slot}`).digest('base64url').slice(0, CODE_LENGTH)
  }

  return {
    current: (nowMs) => {
      const slot = Math.floor(nowMs / slotMs)
      if (known?.slot !== slot) {
        const text = slot.toString(36)
        known = { slot, nonce: `${text}.${codeOf(secrets[0]!, text)}` }
      }
      return known.nonce
    },
    judge: (nonce, nowMs) => {
      const [, text, code] = /^([0-9a-z]{1,11})\.([\w-]{22})$/.exec(nonce) ?? []
      if (text === undefined || code === undefined) return 'unusable'
      const age = Math.floor(nowMs / slotMs) - Number.parseInt(text, 36)
      if (age < -1 || age > 1) return 'unusable'
      const isOurs = secrets.some((secret) =>
        timingSafeEqual(Buffer.from(codeOf(secret, text)), Buffer.from(code)),
      )
      if (!isOurs) return 'unusable'
      return age === 1 ? 'aging' : 'fresh'
    },
  }
}
