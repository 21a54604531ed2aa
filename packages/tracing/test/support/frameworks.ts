import express from 'express'
import express4 from 'express4'

/** Both majors of Express; what a test needs is the same in both. */
export const frameworks: [name: string, framework: typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
]
