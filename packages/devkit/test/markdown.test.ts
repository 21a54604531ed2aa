import { expect, it } from 'vitest'
import { anchorsOf, inlineCodeOf, linksOf, snippetsOf, tablesOf } from '../src/markdown.js'

const document = `# One \`code\` & two

See [a](./a.md#x), [b](https://example.org "title") and ![c](c.png). Not \`[d](d.md)\`.

\`\`\`ts
const link = '[e](e.md)'
\`\`\`

~~~~md
\`\`\`ts
nested
\`\`\`
~~~~

[f]: f.md
<a href="g.md"><img src="h.svg"></a>

## Same
## Same

| a | b \\| c |
| - | :-: |
| 1 |  \`2\` |
`

it('finds links, images and definitions, and none in code', () => {
  expect(linksOf(document)).toEqual(['./a.md#x', 'https://example.org', 'c.png', 'f.md', 'g.md', 'h.svg'])
})

it('finds fenced code, with its language and its line', () => {
  expect(snippetsOf(document)).toEqual([
    { language: 'ts', line: 6, code: "const link = '[e](e.md)'\n" },
    { language: 'md', line: 10, code: '```ts\nnested\n```\n' },
  ])
})

it('finds inline code', () => {
  expect(inlineCodeOf(document)).toEqual(['code', '[d](d.md)', '2'])
})

it('names headings as GitHub does', () => {
  expect([...anchorsOf(document)]).toEqual(['one-code--two', 'same', 'same-1'])
})

it('reads tables', () => {
  expect(tablesOf(document)).toEqual([
    [
      ['a', 'b \\| c'],
      ['1', '`2`'],
    ],
  ])
})
