/**
 * Makes what is stored of a text, and back. Which session and which field it belongs to is bound into what is made,
 * so that an operator of the store cannot move a value elsewhere.
 */
export interface Codec {
  /** Whether what is stored is the text itself. */
  readonly isPlain: boolean
  encode(text: string, sessionId: string, field: string): string
  /** @returns `undefined` if it cannot be read: an unknown key, or damaged */
  decode(stored: string, sessionId: string, field: string): string | undefined
}

/** Stores texts as they are. */
export const plainCodec: Codec = {
  isPlain: true,
  encode: (text) => text,
  decode: (stored) => stored,
}
