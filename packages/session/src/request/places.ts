import { newSid, sharedRef, sidOf } from '../migration/shared/store.js'
import { newRef, newToken, type SessionRef, successorOf } from '../stores/token.js'
import type { PlaceMarks } from './place-marks.js'

/** Where a session is stored, and what opens it. */
export interface Place {
  readonly ref: SessionRef
  readonly token: string
}

/** Where new sessions are stored. */
export interface Places {
  /** @throws the store's error */
  make(userId: string | undefined): Promise<Place>
  /** For an anonymous session, if nothing need be waited for. */
  makeNow(): Place | undefined
  /** What replaces a token, by the nonce of its rotation. */
  successor(before: Place, nonce: string): Place
}

/** By tokens of our own. */
export function tokenPlaces(marks: PlaceMarks): Places {
  const placeOf = (ref: SessionRef): Place => ({ ref, token: newToken(ref) })
  return {
    make: async (userId) => placeOf(newRef(userId, await marks.key())),
    makeNow: () => {
      const { known } = marks
      return known && placeOf(newRef(undefined, known.key))
    },
    successor: ({ ref, token }, nonce) => ({ ref, token: successorOf(token, nonce) }),
  }
}

/** By ids of express-session. */
export const sharedPlaces: Places = {
  make: async () => sharedPlace(newSid()),
  makeNow: () => sharedPlace(newSid()),
  successor: (_before, nonce) => sharedPlace(sidOf(nonce)),
}

/** Of a session of express-session. */
export function sharedPlace(sid: string): Place {
  return { ref: sharedRef(sid), token: sid }
}
