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

/** A key or a tag cannot be used. The message never repeats it. */
export class InvalidCacheKey extends ScaleError {
  constructor(what: 'key' | 'tag' | 'tags') {
    const wanted =
      what === 'tags' ? 'Tags must be a list of up to 64' : `A cache ${what} must be a string of 1 to 1024`
    super(`${wanted}${what === 'tags' ? ' names.' : ' characters.'}`, { code: 'ERR_SCALE_CACHE_KEY' })
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
