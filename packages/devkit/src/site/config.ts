import type { DefaultTheme, UserConfig } from 'vitepress'
import type { SitePage } from './pages.js'

/** What stands at the side: every page once. */
const SECTIONS: readonly [title: string, pages: RegExp][] = [
  ['Start', /^(?:index|architecture|examples\/.*)\.md$/],
  ['Packages', /^packages\//],
  ['Concepts', /^concepts\//],
  ['Operations', /^guides\//],
  ['Migration', /^migration\//],
  ['Something is wrong', /^(?:troubleshooting|errors|questions)\.md$/],
  ['Compared', /^comparison\.md$/],
  ['Reference', /^api\//],
  ['The project', /^(?:contributing|changelog|decisions\/.*)\.md$/],
]

/** The site: a sidebar, and a search that asks nobody. */
export function siteConfig(pages: readonly SitePage[]): UserConfig<DefaultTheme.Config> {
  return {
    title: '@scale',
    description: 'Run any Express app as many identical copies',
    cleanUrls: false,
    // Dead links are errors of the build.
    ignoreDeadLinks: false,
    // No document has any: `<` in text is text.
    markdown: { html: false },
    themeConfig: {
      search: { provider: 'local' },
      outline: [2, 3],
      nav: [
        { text: 'Start', link: '/' },
        { text: 'Migration', link: '/migration/' },
        { text: 'Troubleshooting', link: '/troubleshooting' },
        { text: 'Reference', link: '/api/session' },
      ],
      sidebar: SECTIONS.map(([text, own]) => ({
        text,
        collapsed: text !== 'Start' && text !== 'Packages',
        items: pages
          .filter(({ path }) => own.test(path))
          .map(entryOf)
          .toSorted(first),
      })),
    },
  }
}

function entryOf({ path, text }: SitePage): { text: string; link: string } {
  const [, title = path] = /^# (.+)$/m.exec(text) ?? []
  const link = `/${path.replace(/(?:index)?\.md$/, '')}`
  return { text: title.replaceAll('`', ''), link }
}

/** The page of a section itself before those that are in it. */
function first(a: { link: string; text: string }, b: { link: string; text: string }): number {
  const isIndex = ({ link }: { link: string }): number => (link.endsWith('/') ? 0 : 1)
  return isIndex(a) - isIndex(b) || a.text.localeCompare(b.text, 'en')
}

/** Which pages are in no section. */
export function unlisted(pages: readonly SitePage[]): string[] {
  return pages.map(({ path }) => path).filter((path) => SECTIONS.every(([, own]) => !own.test(path)))
}
