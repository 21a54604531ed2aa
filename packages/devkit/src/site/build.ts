import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { build } from 'vitepress'
import { filesUnder, root } from '../workspace.js'
import { siteConfig, unlisted } from './config.js'
import { siteImages, sitePages } from './pages.js'

/** Where the pages are put together; VitePress is found from there. */
const folder = join(root, 'packages/devkit/.cache/site')
/** Where the site is when it is built: a folder that any web server can serve. */
export const siteFolder: string = join(folder, '.vitepress/dist')

/**
 * Builds the site.
 *
 * @throws {Error} a page is in no section, or links to what is not there
 */
export async function buildSite(): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  const pages = sitePages()
  for (const { path, text } of pages) write(path, text)
  for (const { from, path } of siteImages()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    copyFileSync(from, join(folder, path))
  }
  const slugs = JSON.stringify(join(root, 'packages/devkit/src/markdown.ts'))
  write(
    '.vitepress/config.mjs',
    `import { slugOf as slugify } from ${slugs}
const config = ${JSON.stringify(siteConfig(pages))}
export default { ...config, markdown: { ...config.markdown, anchor: { slugify } } }`,
  )
  if (unlisted(pages).length > 0) throw new Error(`In no section of the site: ${unlisted(pages).join(', ')}`)
  await build(folder)
  const dead = deadLinks()
  if (dead.length > 0) throw new Error(`Dead links of the site:\n${dead.join('\n')}`)
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** Links of the finished pages that lead to no page, or to a place that its page does not have. */
export function deadLinks(): string[] {
  const files = filesUnder(siteFolder)
  const paths = new Set(files.map((file) => file.slice(siteFolder.length)))
  const html = new Map(
    files
      .filter((file) => file.endsWith('.html'))
      .map((file) => [file.slice(siteFolder.length), readFileSync(file, 'utf8')]),
  )
  const places = new Map(
    [...html].map(([path, text]) => [
      path,
      new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!)),
    ]),
  )
  return [...html].flatMap(([path, text]) =>
    [...text.matchAll(/<a\b[^>]*?\shref="([^"]+)"/g)]
      .map(([, href]) => href!.replaceAll('&amp;', '&'))
      .filter((href) => !/^(?:https?:|mailto:)/.test(href))
      .filter((href) => {
        const [file = '', anchor] = href.split('#', 2) as [string, string | undefined]
        const linked = file === '' ? path : posix.resolve('/', posix.dirname(path), decodeURI(file))
        const found = [linked, `${linked}.html`, posix.join(linked, 'index.html')].find((one) =>
          paths.has(one),
        )
        if (found === undefined) return true
        return anchor !== undefined && anchor !== '' && !places.get(found)?.has(decodeURIComponent(anchor))
      })
      .map((href) => `${path}: ${href}`),
  )
}
