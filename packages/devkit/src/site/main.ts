import { fromRoot } from '../workspace.js'
import { buildSite, siteFolder } from './build.js'

// `pnpm docs:site`: the documentation as a site. Not in version control: the Markdown and the docstrings are.

await buildSite()
console.log(fromRoot(siteFolder))
