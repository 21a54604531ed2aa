/** A change to the sources that a test has to notice. */
export interface Change {
  name: string
  /** Below `src`. */
  file: string
  from: string
  to: string
  /** Which test files, by a part of their names; together they have to fail. */
  tests: readonly string[]
}

const life = 'request/session-life.ts'
const requests = 'request/request-session.ts'
const gate = 'request/gate.ts'
const write = 'stores/lua/write.lua.ts'

export const changes: readonly Change[] = [
  // What an answer says
  {
    name: 'an answer waits for nothing',
    file: requests,
    from: 'return this.#inTurn(() => this.#finish())',
    to: 'void this.#inTurn(() => this.#finish())\n    return undefined',
    tests: ['answers'],
  },
  {
    name: 'an answer does not wait for calls under way',
    file: requests,
    from: 'const waits = this.#waiting > 0 || ',
    to: 'const waits = ',
    tests: ['answers'],
  },
  {
    name: 'what fails before the answer is not the answer',
    file: requests,
    from: 'if (isChanged) throw error',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'a value without JSON goes unnoticed',
    file: requests,
    from: 'return Promise.reject(error)',
    to: 'return undefined',
    tests: ['answers'],
  },
  {
    name: 'a late login is answered',
    file: 'request/exchange.ts',
    from: 'this.#isHeadOut = this.#res.headersSent',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'a body that could not be stored looks whole',
    file: 'request/exchange.ts',
    from: 'this.#res!.destroy()',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'what had happened before a failure is not told',
    file: 'request/exchange.ts',
    from: 'this.deliver()\n    this.#next(error)',
    to: 'this.#next(error)',
    tests: ['answers'],
  },
  {
    name: 'an orphan stays',
    file: requests,
    from: "if (this.#life.isUndelivered) await this.#life.destroy('undelivered')",
    to: '',
    tests: ['answers'],
  },
  {
    name: 'a failed answer keeps its headers',
    file: gate,
    from: 'for (const name of OF_THE_ANSWER) res.removeHeader(name)',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'a held answer can be changed',
    file: gate,
    from: 'setHeader: { value: refuse },',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'a stream waits for ever',
    file: gate,
    from: "if (calls.some(({ verb }) => verb === 'write')",
    to: "if (false && calls.some(({ verb }) => verb === 'write')",
    tests: ['answers'],
  },
  {
    name: 'who wrapped the response swallows the failure',
    file: gate,
    from: 'Object.assign(res, native)',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'the status is changed while it waits',
    file: gate,
    from: "if (before === 'open') Object.assign(res, { statusCode, statusMessage })",
    to: '',
    tests: ['answers'],
  },
  {
    name: 'headers in an array are lost',
    file: gate,
    from: 'if (!Array.isArray(passed)) return Object.entries(passed)',
    to: 'if (Array.isArray(passed)) return []\n  return Object.entries(passed)',
    tests: ['answers'],
  },
  // Two requests at once
  {
    name: 'the script drops what others wrote',
    file: write,
    from: "if mode == 'merge' and",
    to: 'if false and',
    tests: ['answers', 'stores/redis'],
  },
  {
    name: 'a conflict is overwritten',
    file: write,
    from: "if mode == 'report' and #reply > 5 then",
    to: 'if false then',
    tests: ['stores/redis'],
  },
  {
    name: 'no size of what others stored',
    file: write,
    from: 'if bytes > most then',
    to: 'if false then',
    tests: ['stores/redis'],
  },
  {
    name: 'no size at creation',
    file: life,
    from: 'refuseInvalid(this.config, data)',
    to: '',
    tests: ['session.test'],
  },
  {
    name: 'a schema is not asked at a save',
    file: 'data/write.ts',
    from: 'if (changes.length > 0) refuseInvalid(config, data!)',
    to: '',
    tests: ['answers'],
  },
  {
    name: 'what was merged is not seen',
    file: 'data/stored-data.ts',
    from: 'if (met.has(key)) this.merge(key, sent, text)',
    to: '',
    tests: ['session.test'],
  },
  // Tokens
  {
    name: 'the old token opens for ever',
    file: 'stores/lua/load.lua.ts',
    from: 'if f.p and not f.q and',
    to: 'if false and',
    tests: ['renewal'],
  },
  {
    name: 'the old token ends with its renewal',
    file: write,
    from: "'g', int(absolute_end), 'n'",
    to: "'g', int(now), 'n'",
    tests: ['renewal'],
  },
  {
    name: 'a successor is not given again',
    file: life,
    from: 'if (isReplaced && !previous.isConfirmed) {',
    to: 'if (isReplaced && previous.isConfirmed) {',
    tests: ['renewal', 'cookie'],
  },
  {
    name: 'a thief is given the successor',
    file: write,
    from: "if ARGV[10] ~= '' and (age == 'last' or age == 'replaced' and not f[8]) then",
    to: "if ARGV[10] ~= '' then",
    tests: ['renewal', 'stores/redis'],
  },
  {
    name: 'a reload uses the successor',
    file: life,
    from: 'await this.config.store.load(held.ref)',
    to: 'await this.config.store.load(held.ref, { digest: held.digest, overlapMs: 0 })',
    tests: ['renewal', 'session.test'],
  },
  {
    name: 'who reads for long is out after a renewal',
    file: 'stores/lua/prelude.lua.ts',
    from: "or opened_when == (f[9] or '0') and 'was good'",
    to: '',
    tests: ['long-readers'],
  },
  {
    name: 'who reads for long stays in after an elevation',
    file: 'stores/lua/prelude.lua.ts',
    from: "opened_when == (f[9] or '0') and",
    to: "opened_when ~= '' and",
    tests: ['long-readers', 'stores/redis'],
  },
  {
    name: 'who reads for long cannot read anew after a renewal',
    file: life,
    from: 'refusalOf(loaded, held.digest, held.openedWhen)',
    to: 'refusalOf(loaded, held.digest)',
    tests: ['long-readers'],
  },
  {
    name: 'two elevations of one moment are one',
    file: write,
    from: 'int(math.max(now, (f[9] or 0) + 1))',
    to: 'int(now)',
    tests: ['session.test'],
  },
  {
    name: 'tokens in headers are renewed unasked',
    file: life,
    from: 'if (via.issue !== undefined) {',
    to: 'if (true as boolean) {',
    tests: ['renewal'],
  },
  {
    name: 'reuse revokes nothing',
    file: 'request/opening.ts',
    from: "config.onTokenReuse === 'revoke'",
    to: 'false',
    tests: ['renewal'],
  },
  {
    name: 'only the first token is tried',
    file: 'request/opening.ts',
    from: "if (opening.kind !== 'refused') return opening",
    to: 'return opening',
    tests: ['login.test'],
  },
  {
    name: 'every token is tried, however many',
    file: 'request/opening.ts',
    from: 'candidates.length < MOST_TRIED && ',
    to: '',
    tests: ['login.test'],
  },
  {
    name: 'made-up places are asked for',
    file: 'request/place-marks.ts',
    from: "if (this.#left < 1) return 'no'",
    to: '',
    tests: ['made-up'],
  },
  {
    name: 'real places without a mark use up what is left',
    file: 'request/place-marks.ts',
    from: 'found(): void {\n    this.#left++',
    to: 'found(): void {',
    tests: ['made-up'],
  },
  {
    name: 'a cookie that a login replaced is taken back',
    file: 'stores/lua/prelude.lua.ts',
    from: "redis.call('HSET', key, 'z', '1')",
    to: '',
    tests: ['login.test'],
  },
  {
    name: 'no dead cookie is taken back',
    file: life,
    from: "else if (opening.kind === 'refused' && opening.isDead) exchange.clear(opening.via)",
    to: '',
    tests: ['login.test'],
  },
  // Logins
  {
    name: 'data goes to another user',
    file: life,
    from: "(keepData === 'anonymous' && isOwn)",
    to: "keepData === 'anonymous'",
    tests: ['login.test'],
  },
  {
    name: 'keepData: false is ignored',
    file: life,
    from: 'if (!keeps) this.#data = this.#dataOf()',
    to: '',
    tests: ['login.test'],
  },
  {
    name: 'the replaced session counts',
    file: 'stores/lua/create.lua.ts',
    from: 'if id ~= before then gone',
    to: 'if true then gone',
    tests: ['login.test'],
  },
  {
    name: 'the one in use is evicted',
    file: 'stores/lua/create.lua.ts',
    from: 'return used[a] < used[b]',
    to: 'return used[a] > used[b]',
    tests: ['login.test'],
  },
  {
    name: 'a remembered login is forgotten at its renewal',
    file: life,
    from: 'this.#exchange.issue(token, expiresAt - lastSeenAt, persistent, via)',
    to: 'this.#exchange.issue(token, expiresAt - lastSeenAt, undefined, via)',
    tests: ['facade'],
  },
  // The object
  {
    name: 'a deleted key stays',
    file: 'request/facade.ts',
    from: 'deleteProperty: (target, name) => isKey(name) && Reflect.deleteProperty(target.data, name)',
    to: 'deleteProperty: () => true',
    tests: ['facade'],
  },
  {
    name: 'nothing is enumerable',
    file: 'request/facade.ts',
    from: 'ownKeys: (target) => Object.keys(target.data).filter(isKey)',
    to: 'ownKeys: () => []',
    tests: ['facade'],
  },
  {
    name: 'methods can be set',
    file: 'request/facade.ts',
    from: 'if (!isKey(name)) return false\n',
    to: 'if (!isKey(name)) return true\n',
    tests: ['facade'],
  },
  // Migration
  {
    name: 'a takeover that failed halfway stays so',
    file: 'migration/take-over.ts',
    from: "if (created.outcome === 'full') return undefined\n",
    to: "if (created.outcome === 'full') return undefined\n  if (created.outcome === 'exists') return token\n",
    tests: ['migration'],
  },
  {
    name: 'the marker of a takeover is short',
    file: 'migration/take-over.ts',
    from: 'ref.tag + ref.id, absoluteTimeoutMs)',
    to: 'ref.tag + ref.id, 30_000)',
    tests: ['migration'],
  },
  {
    name: 'the migration race is left open',
    file: 'migration/take-over.ts',
    from: 'await store.end(ref)\n    return undefined',
    to: 'return token',
    tests: ['migration'],
  },
  {
    name: 'a look takes over',
    file: 'migration/take-over.ts',
    from: 'const ref = placeOf(key, old, undefined)',
    to: 'void takeOver(config, { kind: "old", key, old })\n  const ref = placeOf(key, old, undefined)',
    tests: ['migration'],
  },
  // Without a response
  {
    name: 'a response that only looks like one is used',
    file: 'middleware.ts',
    from: "typeof res.once === 'function' ? res : undefined",
    to: 'res',
    tests: ['socket-io'],
  },
]
