/** A fenced block of code in a Markdown text. */
export interface Snippet {
  language: string
  /** Line of its first line of code, from 1. */
  line: number
  code: string
}

/** The fenced blocks of a text. */
export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = []
  let open: { fence: string; snippet: Snippet } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*([\w-]*)/.exec(line)
    if (open === undefined) {
      if (fence) open = { fence: fence[1]!, snippet: { language: fence[2]!, line: index + 2, code: '' } }
    } else if (fence?.[1]?.startsWith(open.fence) && fence[2] === '') {
      snippets.push(open.snippet)
      open = undefined
    } else {
      open.snippet.code += `${line}\n`
    }
  }
  return snippets
}

/** The text with blank lines in place of fenced blocks, so that line numbers stay. */
function proseOf(markdown: string): string {
  let fence: string | undefined
  return markdown
    .split('\n')
    .map((line) => {
      const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
      if (fence === undefined && mark === undefined) return line
      if (fence === undefined) fence = mark
      else if (mark?.startsWith(fence)) fence = undefined
      return ''
    })
    .join('\n')
}

/** Where the links and images of a text lead. */
export function linksOf(markdown: string): string[] {
  const prose = proseOf(markdown).replace(/`[^`\n]*`/g, '')
  const inline = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)]
  const defined = [...prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)]
  const html = [...prose.matchAll(/\b(?:href|src)="([^"]+)"/g)]
  return [...inline, ...defined, ...html].map((match) => match[1]!)
}

/** What stands between single backticks. */
export function inlineCodeOf(markdown: string): string[] {
  return [...proseOf(markdown).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)
}

/** The names under which the headings of a text can be linked to, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of proseOf(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = slugOf(heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, ''))
    let anchor = slug
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/** The name of a heading, as GitHub makes it. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
}

/** A table, as rows of cells without their padding. The first row is the header. */
export function tablesOf(markdown: string): string[][][] {
  const tables: string[][][] = []
  let rows: string[][] | undefined
  for (const line of proseOf(markdown).split('\n')) {
    if (!line.trim().startsWith('|')) {
      rows = undefined
      continue
    }
    if (rows === undefined) {
      rows = []
      tables.push(rows)
    }
    const cells = line
      .trim()
      .slice(1)
      .replace(/\|$/, '')
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
    if (!cells.every((cell) => /^:?-+:?$/.test(cell))) rows.push(cells)
  }
  return tables
}
