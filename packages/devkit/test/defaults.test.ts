import { expect, it } from 'vitest'
import { documentedDefault } from '../src/defaults.js'

it.each([
  ['Longest wait, in ms. 1–60,000. Default 100', { kind: 'value', value: 100 }],
  ['Default 5,000 for each', { kind: 'value', value: 5000 }],
  ['A share. Default 0.5.', { kind: 'value', value: 0.5 }],
  ["Default `'lax'`", { kind: 'value', value: 'lax' }],
  ['Default `lax`', { kind: 'value', value: 'lax' }],
  ['Default `cookie()`', { kind: 'code', text: 'cookie()' }],
  ["Default 'lax': sent on top-level navigation", { kind: 'value', value: 'lax' }],
  ['Default false: nothing is written to disk', { kind: 'value', value: false }],
  ["Default `['index']`", { kind: 'value', value: ['index'] }],
  ['Default `{}`: the system’s', { kind: 'value', value: {} }],
  ['Default none', { kind: 'none' }],
  ["Default: the guard's own", { kind: 'words' }],
  ['Default ten minutes', { kind: 'unclear', text: 'ten' }],
  ['Says nothing of it', undefined],
])('%s', (doc, expected) => {
  expect(documentedDefault(doc)).toEqual(expected)
})
