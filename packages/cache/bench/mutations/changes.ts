import type { Change } from '@scale/devkit/mutations'

const coordinator = 'coordination/coordinator.ts'
const invalidations = 'coordination/invalidations.ts'
const entries = 'entries/entries.ts'
const fence = 'entries/tag-fence.ts'
const copies = 'entries/local-copies.ts'
const loads = 'functions/loads.ts'
const key = 'http/cache-key.ts'
const storability = 'http/storability.ts'
const forwarding = 'middleware/forwarding.ts'
const responses = 'middleware/responses.ts'
const run = 'middleware/run.ts'
const inputs = 'middleware/inputs.ts'

const functions = ['test/cache.test', 'test/faults.test', 'test/coherence']
const http = [
  'test/http/basic',
  'test/http/faults',
  'test/http/background',
  'test/http/rfc',
  'test/http/leak',
]

export const changes: readonly Change[] = [
  // Who loads
  {
    name: 'coordinator: what an invalidation has overtaken is joined',
    file: coordinator,
    from: 'overtakeFlight(key: string): void {\n    this.#flights.delete(key)',
    to: 'overtakeFlight(key: string): void {',
    tests: functions,
  },
  {
    name: 'coordinator: a tag overtakes no flight',
    file: coordinator,
    from: 'if (tags === undefined || tags.some(',
    to: 'if (tags?.some(',
    tests: ['test/cache.test', 'test/http/faults', 'test/http/middleware'],
  },
  {
    name: 'coordinator: what may have been missed overtakes no flight',
    file: coordinator,
    from: 'this.#flights.clear()',
    to: '',
    tests: ['test/coherence', 'test/cache.test', 'test/outage'],
  },
  {
    name: 'coordinator: a flight is joined however long nothing was heard',
    file: coordinator,
    from: 'return isYoung || this.entries.local.coherence.trusted(nowMs)',
    to: 'return isYoung || true',
    tests: ['test/coherence', 'test/outage', 'test/cache.test'],
  },
  {
    name: 'coordinator: only a young flight is joined',
    file: coordinator,
    from: 'return isYoung || this.entries.local.coherence.trusted(nowMs)',
    to: 'return isYoung',
    tests: functions,
  },
  {
    name: 'coordinator: a flight that ended takes its successor away',
    file: coordinator,
    from: 'if (this.#flights.get(key) === flight) this.#flights.delete(key)',
    to: 'this.#flights.delete(key)',
    tests: functions,
  },
  {
    name: 'coordinator: who waits never gives up',
    file: coordinator,
    from: 'if (nowMs >= giveUpAt)',
    to: 'if (nowMs < 0)',
    tests: functions,
  },
  {
    name: 'coordinator: a lease is not renewed',
    file: coordinator,
    from: 'this.entries.renew(key, lease)',
    to: 'Promise.resolve()',
    tests: ['test/processes/stampede'],
  },
  {
    name: 'coordinator: without Redis a copy is served beyond its grace',
    file: coordinator,
    from: 'silentForMs(nowMs) < this.#options.outageGraceMs',
    to: 'silentForMs(nowMs) >= 0',
    tests: ['test/outage', 'test/coherence'],
  },
  {
    name: 'coordinator: a fresh entry that is rejected is not passed over',
    file: coordinator,
    from: 'const rejected = found.rejectedId ?? (isFresh(entry) ? entry.id : undefined)',
    to: 'const rejected = undefined as string | undefined',
    tests: [...functions, 'test/http/rfc'],
  },
  // What is stored
  {
    name: 'fence: a tag that only the value names fences nothing',
    file: fence,
    from: 'before === undefined ? quietSince > granted.heldSince : ',
    to: 'before === undefined ? false : ',
    tests: functions,
  },
  {
    name: 'fence: a tag that was opened for too short a time is not looked at again',
    file: fence,
    from: ' || lifetimeMs > granted.tagLifetimeMs',
    to: '',
    tests: functions,
  },
  {
    name: 'fence: an entry is valid without a tag that is named now',
    file: fence,
    from: "kind !== 'vary' && named.some(",
    to: 'named.length < 0 && named.some(',
    tests: functions,
  },
  {
    name: 'fence: a tag that is invalidated here is good until Redis knows',
    file: fence,
    from: "if (stamps.some(({ tag }) => this.#isPending(tag))) return 'invalid'",
    to: '',
    tests: ['test/outage', 'test/faults.test'],
  },
  {
    name: 'fence: a hard invalidation is taken for a soft one',
    file: fence,
    from: "if (now?.version.slice(0, HARD_LENGTH) !== version.slice(0, HARD_LENGTH)) return 'invalid'",
    to: "if (now === undefined) return 'invalid'",
    tests: functions,
  },
  {
    name: 'entries: a value is kept in process although it was not stored',
    file: entries,
    from: 'if (stored) this.local.keep(',
    to: 'this.local.keep(',
    tests: functions,
  },
  {
    name: 'entries: a copy is served beyond its longest stay',
    file: entries,
    from: 'nowMs < entry.l1Until && ',
    to: '',
    tests: functions,
  },
  {
    name: 'entries: a copy is served whatever was heard',
    file: entries,
    from: ' && this.local.coherence.trusted(nowMs)\n',
    to: '\n',
    tests: ['test/coherence', 'test/outage'],
  },
  {
    name: 'entries: a discarded value stays in the store',
    file: entries,
    from: 'if (lease.hadEntry) await this.store.remove(key)\n    else await',
    to: 'await',
    tests: functions,
  },
  {
    name: 'copies: what a read finds is kept though it was overtaken',
    file: copies,
    from: 'if (read.voided || ',
    to: 'if (',
    tests: ['test/coherence', 'test/cache.test', 'test/namespaces'],
  },
  {
    name: 'copies: a tag that was invalidated during the read does not count',
    file: copies,
    from: 'if (tags.some((name) => (this.#tags.get(name) ?? 0) > read.startedAt)) return',
    to: '',
    tests: ['test/coherence', 'test/cache.test', 'test/namespaces'],
  },
  {
    name: 'copies: a tag drops no copy',
    file: copies,
    from: '> copy.at) {',
    to: '> copy.at + 1e9) {',
    tests: functions,
  },
  {
    name: 'copies: reads under way survive a loss',
    file: copies,
    from: 'for (const read of reads) {\n        read.voided = true',
    to: 'for (const read of reads) {',
    tests: ['test/coherence', 'test/outage', 'test/cache.test'],
  },
  {
    name: 'loads: a loader that asks the cache takes another slot',
    file: loads,
    from: 'within.getStore() === undefined ? this.#limiter.run(run) : run()',
    to: 'this.#limiter.run(run)',
    tests: ['test/faults.test'],
  },
  {
    name: 'loads: a failed load keeps its lease',
    file: loads,
    from: 'await this.#coordinator.release(load.key, lease)',
    to: '',
    tests: functions,
  },
  {
    name: 'loads: a stale value is served for a failure for ever',
    file: loads,
    from: 'performance.now() >= stale.errorUntil',
    to: 'false',
    tests: functions,
  },
  // Invalidation
  {
    name: 'invalidations: what Redis did not acknowledge is forgotten',
    file: invalidations,
    from: 'this.#remember(part)',
    to: '',
    tests: ['test/outage', 'test/faults.test'],
  },
  {
    name: 'invalidations: a large call goes in one piece',
    file: invalidations,
    from: 'const MAX_TAGS = 500',
    to: 'const MAX_TAGS = 1_000_000',
    tests: ['test/faults.test'],
  },
  {
    name: 'invalidations: close does not wait for what is on its way',
    file: invalidations,
    from: 'await Promise.race([Promise.all(this.#sending), delay(CLOSE_MS, undefined, { ref: false })])',
    to: '',
    tests: ['test/faults.test', 'test/outage', 'test/namespaces'],
  },
  {
    name: 'invalidations: close does not send what is left',
    file: invalidations,
    from: 'if (await this.#flush()) break',
    to: '',
    tests: ['test/faults.test', 'test/outage'],
  },
  // The request
  {
    name: 'key: the partition is not in it',
    file: key,
    from: 'if (partition !== undefined) key +=',
    to: 'if (partition === null) key +=',
    tests: http,
  },
  {
    name: 'key: whatever partition returns is taken',
    file: key,
    from: "(typeof partition !== 'string' || partition === '')",
    to: "partition === ''",
    tests: http,
  },
  {
    name: 'key: credentials go through the cache',
    file: key,
    from: 'credentials.some((name) => headers[name] !== undefined)',
    to: 'false',
    tests: http,
  },
  {
    name: 'key: a target that was rewritten in front makes no difference',
    file: key,
    from: "!isMounted(target, baseUrl ?? '', routed)",
    to: 'false',
    tests: http,
  },
  {
    name: 'key: one part runs into the next',
    file: key,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
    from: '`\\n=${String(value).length}:${value}`',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
    to: '`\\n=${value}`',
    tests: http,
  },
  {
    name: 'key: undeclared parameters are shown in originalUrl',
    file: key,
    from: 'if (originalUrl !== undefined) req.originalUrl = kept(originalUrl)',
    to: '',
    tests: http,
  },
  // The response
  {
    name: 'storability: a cookie is stored for everyone',
    file: storability,
    from: "policy.setCookie === 'refuse'",
    to: 'false',
    tests: http,
  },
  {
    name: 'storability: private is stored',
    file: storability,
    from: "directives.get('private') === true && !partitioned",
    to: 'false',
    tests: http,
  },
  {
    name: 'storability: no-store is stored',
    file: storability,
    from: "directives.has('no-store') && !mustUnderstand",
    to: 'false',
    tests: http,
  },
  {
    name: 'storability: fields that private names are stored',
    file: storability,
    from: "partitioned ? [] : fieldsOf(directives, 'private')",
    to: '[]',
    tests: http,
  },
  {
    name: 'storability: the age of a response that came old does not count',
    file: storability,
    from: 'const isStale = given.lifetimeMs <= initialAgeMs',
    to: 'const isStale = given.lifetimeMs <= 0',
    tests: http,
  },
  {
    name: 'inputs: the session may be read',
    file: inputs,
    from: 'isEmpty(value))) scope.log.personal ??= as',
    to: 'isEmpty(value))) scope.log.personal ??= undefined',
    tests: http,
  },
  {
    name: 'inputs: what others in front read counts',
    file: inputs,
    from: 'scope.outside++',
    to: '',
    tests: http,
  },
  {
    name: 'inputs: the connection tells who is there',
    file: inputs,
    from: "scope.log.personal ??= 'socket'",
    to: '',
    tests: http,
  },
  {
    name: 'run: what is read after the head does not count',
    file: run,
    from: ' || log.headers.size > this.#readAtHead',
    to: '',
    tests: http,
  },
  {
    name: 'run: a body shorter than its length is stored',
    file: run,
    from: 'body === undefined || !isWhole || hasReadMore',
    to: 'body === undefined || hasReadMore',
    tests: http,
  },
  {
    name: 'run: a failure is stale for longer than is allowed',
    file: run,
    from: 'ERRORS.has(status) && isAllowed',
    to: 'ERRORS.has(status)',
    tests: http,
  },
  {
    name: 'forwarding: others wait for what is refused',
    file: forwarding,
    from: "if (outcome.kind === 'refused') settle(REFUSED)",
    to: '',
    tests: http,
  },
  {
    name: 'forwarding: others get a variant that is not theirs',
    file: forwarding,
    from: 'if (isFor(response, key, visit))',
    to: 'if (response)',
    tests: [...http, 'test/http/middleware'],
  },
  {
    name: 'forwarding: a handler that hangs leads for ever',
    file: forwarding,
    from: "finish({ kind: 'aborted' })\n        if (isDetached)",
    to: 'if (isDetached)',
    tests: http,
  },
  {
    name: 'responses: what proves uncacheable is asked for again by all',
    file: responses,
    from: "if (outcome.kind !== 'refused' || outcome.transient)",
    to: "if (outcome.kind !== 'stored')",
    tests: [...http, 'test/http/middleware'],
  },
  {
    name: 'responses: variants are stored without end',
    file: responses,
    from: 'const MAX_VARIANTS = 32',
    to: 'const MAX_VARIANTS = 1_000',
    tests: ['test/http/middleware'],
  },
  {
    name: 'responses: tags that a response names are not kept',
    file: responses,
    from: '[...new Set([...named, ...outcome.tags])]',
    to: '[...new Set(named)]',
    tests: [...http, 'test/http/middleware'],
  },
]
