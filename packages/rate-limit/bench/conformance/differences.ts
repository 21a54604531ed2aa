const OWN_TIMERS =
  'Looks into the memory and the timers of the store that it is written for: ours has neither.'

/** Tests of others that our store does not pass, by suite and name, and why not. */
export const differences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'express-rate-limit': {
    'memory store test does not decrement the key below 0 when `decrement` is called':
      'Nothing below 0 is counted; but a key whose hits have all been taken back is not told from one that never had any.',
    'memory store test resets the count for all keys in the store when `resetAll` is called':
      'Optional, and in Redis a walk through all keys of all apps: give the limiter another `prefix`.',
    'memory store test can run in electron where setInterval does not return a Timeout object with an unset function':
      'Its window is −1 ms, which is refused.',
    'memory store test clears the timer when `shutdown` is called': OWN_TIMERS,
    'memory store test should automatically clear previously set intervals': OWN_TIMERS,
    'memory store test should move clients from previous to current': OWN_TIMERS,
  },
  'rate-limit-redis': {
    'redis store test unit: when PTTL==0 but key exists, script starts new window with 1':
      'Reads the text of its own script. That a key without expiry starts anew is a test of ours.',
    'redis store test should bind sendCommand to this':
      'Ours takes a client, and no function that sends commands.',
  },
}
