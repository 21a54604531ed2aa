import type { Removal } from './removal.js'

/** A public list, read page by page and stored as an HTTP response. */
export const catalogue: Removal = {
  files: [
    'migrations/004-catalogue.sql',
    'src/controllers/catalogue.ts',
    'src/repositories/catalogue.ts',
    'test/catalogue.test.ts',
  ],
  cuts: {
    'src/routes.ts': [
      /^import type \{ Cache \} .*\n/m,
      /^import .*\/catalogue\.js'\n/gm,
      /^ {2}cataloguePage,\n/m,
      '  catalogue: CatalogueRepository\n  cache: Cache\n',
      ' catalogue, cache,',
      /^ {2}router\n {4}\.route\('\/catalogue'\)[\s\S]*?methodNotAllowed\(\)\)\n/m,
    ],
    'src/service.ts': [/^import .*\/catalogue\.js'\n/m, /^ {4}catalogue: .*\n {4}cache,\n/m],
    'src/schemas.ts': [/^\/\*\* A page of a list.*\nexport const CataloguePage[\s\S]*?^\}\)\n/m],
    'src/validators.ts': [/^ {2}CataloguePage,\n/m, /^export const cataloguePage.*\n/m],
    'test/fuzz.test.ts': ["  ['GET', '/v1/catalogue'],\n"],
    'README.md': [/^\| `GET \/v1\/catalogue.*\n/m],
  },
}
