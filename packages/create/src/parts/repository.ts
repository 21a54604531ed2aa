import type { Removal } from './removal.js'

const INTRO = `# users-profile

A service that runs as many identical copies: sessions, quotas and cache live in Redis, people in PostgreSQL. Its layers are
routes → controllers → services → repositories.

\`\`\`sh
npm install
npm test
npm run dev            # development: a redis-server on the PATH or none, an embedded PostgreSQL in .data
npm run build && npm run migrate && npm start
\`\`\`

One line says where it listens, how many workers it has, which Redis and which database it found, and how to choose others.
A page at <http://127.0.0.1:3000> lets you register, log in, load the profile, and watch the quota run down and the cache hit.
Without a \`redis-server\` on the PATH the tests show one worker only.

| file | for |
| --- | --- |
| [Dockerfile](Dockerfile), [compose.yaml](compose.yaml) | an image that runs as nobody in particular, and two copies with Redis and PostgreSQL |
| [deploy/kubernetes.yaml](deploy/kubernetes.yaml) | probes, disruption budget, scaling |
| [deploy/users-profile.service](deploy/users-profile.service), [deploy/ecosystem.config.cjs](deploy/ecosystem.config.cjs) | systemd, PM2 |
| [.env.example](.env.example) | what production has to be told |

`

/** What the example has because it lies in a repository of others, and is compared there with what tutorials show. */
export const repository: Removal = {
  files: ['naive/server.js', 'test/naive.test.ts'],
  cuts: {
    'README.md': [
      [/^[\s\S]*?(?=## Variables\n)/, INTRO],
      [/npx --yes pnpm dev/g, 'npm run dev'],
      [/\(\.\.\/\.\.\/packages\//g, '(https://github.com/scale-js/scale/tree/main/packages/'],
      [/ `pnpm dev` at the\nroot[\s\S]*?workspace's cache\.\n/, '\n'],
      /^\| \[naive\/server\.js\].*\n|^## From the naive version\n[\s\S]*?(?=^## |$(?![\s\S]))/gm,
    ],
    'package.json': [
      '  "license": "MIT",\n',
      ['"The users/profile service: every @scale package in one app"', '"A service of users and profiles"'],
    ],
    'tsconfig.json': [/^ *\/\/ Of the repository.*\n.*customConditions.*\n/m],
    'tsconfig.build.json': [/^ *"customConditions": \[\],\n/m],
    'test/service.ts': ["'--conditions=@scale/source', ", ['`pnpm dev`', '`npm run dev`']],
    // The repository's tests have one on the PATH everywhere.
    'test/walk.test.ts': [
      ["'two workers and a Redis of its own'", "'two workers, where there is a Redis'"],
      ['(?:redis|valkey)-server/,', '(?:redis|valkey)-server|WARNING: without Redis.*1 worker/,'],
    ],
  },
}
