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
  constructor(what: 'key' | 'tag') {
    super(`A cache ${what} must be a string of 1 to 1024 characters.`, { code: 'ERR_SCALE_CACHE_KEY' })
  }
}
