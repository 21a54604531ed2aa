import { ScaleError } from '@scale/core'

/** A problem was thrown with extension members that its own schema refuses. A fault of the program. */
export class InvalidExtensions extends ScaleError {
  /** @param places  JSON pointers of what is wrong; values are not told */
  constructor(problem: string, places: readonly string[], cause: unknown) {
    super(`${problem}: the extension members do not fit their schema: ${places.join(', ')}.`, {
      code: 'ERR_SCALE_PROBLEM_EXTENSIONS',
      cause,
    })
  }
}

/** `methodNotAllowed()` cannot tell which methods its route has. A fault of the program. */
export class MethodsUnknown extends ScaleError {
  constructor() {
    super(
      'methodNotAllowed: it cannot tell which methods are allowed here, or a handler of this very method called next(). ' +
        "Write app.route(path).get(…).all(methodNotAllowed()), or name them: methodNotAllowed('GET').",
      { code: 'ERR_SCALE_METHODS_UNKNOWN' },
    )
  }
}

/** `onFatal` was called again while it is in force. Thrown by that call. */
export class FatalInstalled extends ScaleError {
  constructor() {
    super('onFatal: it is in force already. A process ends once: call it in one place.', {
      code: 'ERR_SCALE_FATAL_INSTALLED',
    })
  }
}
