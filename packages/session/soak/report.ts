/** What one process saw since its last report; instants are epoch ms. */
export interface Report {
  answers: number
  /** 503. */
  refused: number
  /** Times without any answer. */
  gaps: [from: number, to: number][]
  /** When what was acknowledged and is not there any more was acknowledged. */
  lost: number[]
  /** When the end of a session was acknowledged that is there again. */
  revived: number[]
}
