import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { referenceOf } from '../docs/reference.js'
import { publishedPackages, repositoryFiles, root } from '../workspace.js'

/** One page of the site: where it is there, and its Markdown. */
export interface SitePage {
  /** Such as `guides/redis.md`. */
  readonly path: string
  readonly text: string
}

/** Where what has no page of its own is read. */
const SOURCE = 'https://github.com/scale-js/scale'

/** The place of a document of the repository on the site; `undefined`: it has none. */
export function placeOf(document: string): string | undefined {
  if (document === 'README.md') return 'index.md'
  if (document === 'CHANGELOG.md') return 'changelog.md'
  const [, kind, name] = /^(packages|examples)\/([\w-]+)\/README\.md$/.exec(document) ?? []
  if (name === 'devkit') return undefined
  if (name !== undefined) return `${kind}/${name}.md`
  const [, page] = /^docs\/(.*\.md)$/.exec(document) ?? []
  return page?.startsWith('api/') ? undefined : page?.replace(/README\.md$/, 'index.md')
}

/** All pages, out of the Markdown that there is and the docstrings. */
export function sitePages(): SitePage[] {
  const documents = repositoryFiles().flatMap((document) => {
    const path = placeOf(document)
    return path === undefined
      ? []
      : [{ path, text: moved(readFileSync(join(root, document), 'utf8'), document, path) }]
  })
  const reference = publishedPackages().map((project) => ({
    path: `api/${project.path.replace('packages/', '')}.md`,
    text: referenceOf(project),
  }))
  return [...documents, ...reference].map(({ path, text }) => ({ path, text: harmless(text) }))
}

/** Images that pages show. */
export function siteImages(): { from: string; path: string }[] {
  return repositoryFiles()
    .filter((path) => /^docs\/.*\.(?:svg|png)$/.test(path))
    .map((from) => ({ from: join(root, from), path: from.replace('docs/', '') }))
}

/** The text with links that are right on the site. Fences stay as they are. */
function moved(text: string, document: string, path: string): string {
  return outsideOfFences(text, (part) =>
    part.replace(
      /(\]\()([^)\s]+)(\))/g,
      (_, before, target, after) => `${before}${linkOf(target, document, path)}${after}`,
    ),
  )
}

function linkOf(target: string, document: string, path: string): string {
  if (/^(?:https?:|mailto:|#)/.test(target)) return target
  const [file = '', anchor] = target.split('#', 2) as [string, string | undefined]
  const linked = normalize(join(dirname(document), decodeURI(file))).replace(/\/$/, '')
  const isFolder = existsSync(join(root, linked)) && statSync(join(root, linked)).isDirectory()
  const place = placeOf(isFolder ? `${linked}/README.md` : linked)
  const hash = anchor === undefined ? '' : `#${anchor}`
  if (place !== undefined && existsSync(join(root, isFolder ? `${linked}/README.md` : linked))) {
    return `${up(path)}${place}${hash}`
  }
  if (/^docs\/.*\.(?:svg|png)$/.test(linked)) return `${up(path)}${linked.replace('docs/', '')}`
  return `${SOURCE}/${isFolder ? 'tree' : 'blob'}/main/${linked}${hash}`
}

/** From a page to the root of the site. */
function up(path: string): string {
  return `./${'../'.repeat(path.split('/').length - 1)}`
}

/** VitePress takes `{{` in text for an expression of Vue; here it is text. In code it leaves it alone. */
function harmless(text: string): string {
  return outsideOfFences(text, (part) =>
    part
      .split(/(`[^`]*`)/)
      .map((piece, at) => (at % 2 === 1 ? piece : piece.replaceAll('{{', '{\u200b{')))
      .join(''),
  )
}

function outsideOfFences(text: string, change: (part: string) => string): string {
  return text
    .split(/(^ *```[\s\S]*?^ *```$)/m)
    .map((part, at) => (at % 2 === 1 ? part : change(part)))
    .join('')
}
