import { ScaleError } from '@scale/core'

/** The loader did not end within `loaderTimeoutMs`. Its signal was aborted; what it returns later is dropped. */
export class LoaderTimeout extends ScaleError {
  constructor(timeoutMs: number) {
    super(`The loader of a cached value did not end within ${timeoutMs} ms.`, {
      code: 'ERR_SCALE_CACHE_LOADER_TIMEOUT',
      status: 504,
      title: 'Gateway Timeout',
    })
  }
}

/** More loads wait than `maxQueuedLoads` allows. Nothing was run. */
export class LoadsOverloaded extends ScaleError {
  constructor() {
    super('Too many loads of cached values are waiting.', {
      code: 'ERR_SCALE_CACHE_OVERLOADED',
      status: 503,
      headers: { 'Retry-After': '1' },
      title: 'Service Unavailable',
    })
  }
}

const WANTED = {
  key: 'A cache key must be a string of 1 to 1024 characters.',
  tag: 'A cache tag must be a string of 1 to 1024 characters.',
  tags: 'Tags must be a list of up to 64 names.',
  namespace: 'A namespace must be 1 to 64 letters, digits, dots, underscores or hyphens.',
}

/** A key, a tag or a namespace cannot be used. The message never repeats it. */
export class InvalidCacheKey extends ScaleError {
  constructor(what: keyof typeof WANTED) {
    super(WANTED[what], { code: 'ERR_SCALE_CACHE_KEY' })
  }
}

/** `partition` gave something else than a string or `undefined`. The request is not answered: who shares is not known. */
export class InvalidPartition extends ScaleError {
  constructor(given: unknown) {
    const what =
      given === '' ? 'an empty string' : given === null ? 'null' : `a value of type ${typeof given}`
    super(
      `\`partition\` of cache.http must return a string that is not empty, or undefined; it returned ${what}.`,
      {
        code: 'ERR_SCALE_CACHE_PARTITION',
      },
    )
  }
}

/** A loader waits for itself: it asked for its own key, or for one whose loader waits for it. */
export class LoadCycle extends ScaleError {
  constructor(keys: readonly string[]) {
    super(`Loaders of cached values wait for one another: ${keys.join(' → ')}.`, {
      code: 'ERR_SCALE_CACHE_CYCLE',
    })
  }
}

/**
 * An unsafe request succeeded, and Redis did not acknowledge what it invalidates: others may be served the old response
 * for as long as that is fresh, or until Redis is back. Only with `onUnacknowledged: 'reject'`.
 */
export class InvalidationUnacknowledged extends ScaleError {
  constructor() {
    super('The request was carried out, but cached responses that it changes could not be invalidated.', {
      code: 'ERR_SCALE_CACHE_UNACKNOWLEDGED',
      status: 503,
      headers: { 'Retry-After': '1' },
      title: 'Service Unavailable',
    })
  }
}
