import type { Change } from '@scale/devkit/mutations'

const guarded = 'guard/guarded-client.ts'
const link = 'guard/link.ts'
const operation = 'guard/operation.ts'
const sentinels = 'connection/sentinels.ts'
const connectors = 'connection/connectors.ts'
const words = 'server-words.ts'

export const changes: readonly Change[] = [
  // The breaker
  {
    name: 'silence does not open it',
    file: link,
    from: "if (silentMs >= this.#policy.silenceMs) this.#become('open', 'silent')",
    to: '',
    tests: ['guard/link'],
  },
  {
    name: 'bytes are no sign of life',
    file: link,
    from: 'if (this.#look()) this.#alive(nowMs)',
    to: 'this.#look()',
    tests: ['guard/link'],
  },
  {
    name: 'a silent connection is not cut',
    file: link,
    from: 'this.#wire.cut()',
    to: '',
    tests: ['guard/link', 'outage/standalone'],
  },
  {
    name: 'an idle connection gets as much time as a busy one',
    file: link,
    from: 'this.#wasIdle ? this.#policy.silenceMs : this.#policy.reconnectAfterMs',
    to: 'this.#policy.reconnectAfterMs',
    tests: ['guard/link'],
  },
  {
    name: 'a command that its client gave up is a lost connection',
    file: link,
    from: 'if (!this.#wire.isReady()) this.unreachable()',
    to: 'this.unreachable()',
    tests: ['guard/link', 'outage/standalone'],
  },
  {
    name: 'a late reply is no sign of life',
    file: operation,
    from: `  readonly onReply = (reply: unknown): void => {
    this.#heard()`,
    to: '  readonly onReply = (reply: unknown): void => {',
    tests: ['guard/', 'outage/standalone'],
  },
  {
    name: 'what a client gave up is called a broken connection',
    file: operation,
    from: "(error as Error).message === 'Command timed out' ? 'timeout' : 'connection'",
    to: "'connection'",
    tests: ['outage/standalone'],
  },
  {
    name: 'what was not written may have happened',
    file: operation,
    from: "this.#isWritten ? reason : 'not-ready'",
    to: 'reason',
    tests: ['guard/', 'outage'],
  },
  // The guard
  {
    name: 'any number may wait',
    file: guarded,
    from: "this.#waiting < this.#options.maxWaiting ? undefined : 'too-many-waiting'",
    to: 'undefined',
    tests: ['guard/guard'],
  },
  {
    name: 'a server that is a replica is not left',
    file: guarded,
    from: 'if (word?.reconnect) this.#leaveServer()',
    to: '',
    tests: ['server-words', 'outage'],
  },
  {
    name: 'a replica is left at each of its answers',
    file: guarded,
    from: 'nowMs - this.#reconnectedAt < RECONNECT_PAUSE_MS',
    to: 'false',
    tests: ['server-words', 'guard/', 'outage'],
  },
  {
    name: 'a script that the server does not know is not sent',
    file: guarded,
    from: "if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error",
    to: 'throw error',
    tests: ['guard/guard'],
  },
  {
    name: 'a lazy client is not connected',
    file: guarded,
    from: 'this.#client.connect?.().catch(() => {})',
    to: '',
    tests: ['clients'],
  },
  {
    name: 'nothing waits for the node to which the client just connects',
    file: guarded,
    from: 'if (this.#only !== undefined || this.#held.has(link)',
    to: 'if (this.#held.size >= 0 || this.#held.has(link)',
    tests: ['clients', 'outage/cluster', 'connection'],
  },
  {
    name: 'each command is a write',
    file: guarded,
    from: 'for (const stream of this.#corked) stream.cork()',
    to: '',
    tests: ['guard/guard'],
  },
  {
    name: 'deadlines come before what lies in the socket',
    file: 'guard/deadlines.ts',
    from: 'setImmediate(this.#expireDue)',
    to: 'this.#expireDue()',
    tests: ['guard/deadlines', 'outage/standalone'],
  },
  {
    name: 'a replica of a Cluster is warned of',
    file: 'guard/advice.ts',
    from: "isCluster ? { ...facts, role: '' } : facts",
    to: 'facts',
    tests: ['clients'],
  },
  // The client
  {
    name: 'a keyPrefix hides the node of a key',
    file: 'client.ts',
    from: 'slotOf(keyPrefixOf(client) + key)',
    to: 'slotOf(key)',
    tests: ['clients'],
  },
  {
    name: 'replies are taken as the app has them',
    file: 'client.ts',
    from: "if (isPlain || typeof duplicate !== 'function') return client",
    to: "if (isPlain || typeof duplicate === 'function') return client",
    tests: ['clients'],
  },
  {
    name: 'a Cluster repeats what may have happened',
    file: 'connect.ts',
    from: 'retryDelayOnFailover: 0',
    to: 'retryDelayOnFailover: 100',
    tests: ['clients', 'outage/cluster', 'connection/cluster'],
  },
  {
    name: 'nodes are connected before the client is ready',
    file: 'cluster-nodes.ts',
    from: "if (client.status === 'ready') prepareNew()",
    to: 'prepareNew()',
    tests: ['outage/connecting', 'connection/cluster', 'clients'],
  },
  {
    name: 'nobody hears a failed ASKING',
    file: 'cluster-nodes.ts',
    from: 'answer.catch(() => {})',
    to: '',
    tests: ['outage/cluster'],
  },
  // Connections
  {
    name: 'a peer that says nothing after it has accepted is waited for',
    file: 'connection/handshake.ts',
    from: 'if (heard === bytes && isAsking(client)) stream.destroy()',
    to: 'if (heard < 0) stream.destroy()',
    tests: ['outage/connecting', 'connection'],
  },
  {
    name: 'a Cluster that does not get ready is waited for',
    file: 'connection/handshake.ts',
    from: "if (client.status === 'connect') client.disconnect?.(true)",
    to: '',
    tests: ['outage/connecting', 'connection'],
  },
  {
    name: 'nobody hears the error of a socket',
    file: 'connection/socket.ts',
    from: "socket.on('error', onError)",
    to: '',
    tests: ['connection'],
  },
  {
    name: 'all sentinels have to answer',
    file: sentinels,
    from: 'if (--open === 0 || answers.length >= needed) resolve()',
    to: 'if (--open === 0) resolve()',
    tests: ['connection/sentinel'],
  },
  {
    name: 'what the first sentinel says counts, however old',
    file: sentinels,
    from: 'answer.epoch > latest.epoch ? answer : latest',
    to: 'latest',
    tests: ['connection/sentinel', 'outage'],
  },
  {
    name: 'who waits to connect again goes on waiting',
    file: sentinels,
    from: 'this.#hastened.add(follow)',
    to: '',
    tests: ['connection/sentinel'],
  },
  {
    name: 'a primary is not left when another is named',
    file: connectors,
    from: 'socket.destroy(new Error(`The Sentinels',
    to: 'void (new Error(`The Sentinels',
    tests: ['connection/sentinel', 'outage/planned'],
  },
  {
    name: 'a primary is not left before a replica is promoted',
    file: sentinels,
    from: 'if (channel === PROMOTION) this.#awaitPromotion()',
    to: 'if (channel === PROMOTION) return',
    tests: ['outage/planned'],
  },
  {
    name: 'the old primary is taken again before the new one is named',
    file: sentinels,
    from: 'await this.#promotion\n',
    to: '',
    tests: ['outage/planned'],
  },
  {
    name: 'the role of a server is not looked at',
    file: connectors,
    from: "return info.role === undefined || info.role === 'master'",
    to: 'return info !== undefined',
    tests: ['connection/sentinel', 'outage'],
  },
  // What servers say
  {
    name: 'what 6.2 says in a script is not understood',
    file: words,
    from: "const inner = message.replace(IN_SCRIPT, '')",
    to: 'const inner = message',
    tests: ['server-words'],
  },
  {
    name: 'who may not run a command in a script is told that it is wrong',
    file: words,
    from: "if (DENIED_IN_SCRIPT.test(inner)) return serverWords.get('NOPERM')",
    to: '',
    tests: ['server-words'],
  },
  {
    name: 'a discarded transaction says nothing',
    file: words,
    from: 'if (known !== undefined) return known\n  }',
    to: '}',
    tests: ['server-words'],
  },
  // Copies in the process
  {
    name: 'another history goes unnoticed after a reconnect',
    file: 'invalidation/channel.ts',
    from: 'if (!place.found || place.history !== this.#history) this.#lose(place)',
    to: 'if (!place.found) this.#lose(place)',
    tests: ['invalidation'],
  },
  {
    name: 'the names of a client that renames keys are told',
    file: 'invalidation/connection.ts',
    from: "if (typeof duplicate !== 'function' || own?.keyPrefix || own?.redisOptions?.keyPrefix) return undefined",
    to: "if (typeof duplicate !== 'function') return undefined",
    tests: ['invalidation'],
  },
]
