import type { Subject } from './service.js'

const KEEPS_THE_REST =
  'the propagator of @opentelemetry/core leaves out the members that are not valid, or are too many, and keeps the rest'

/** Cases of the harness that fail, and why. */
export const differences: Readonly<Record<Subject, Readonly<Record<string, string>>>> = {
  logger: {},
  sdk: {
    'TraceContext2Test.test_propagates_random_flag':
      'the SDK writes the flags of each span anew: sampled or not, nothing else',
    'TraceContextTest.test_tracestate_key_illegal_vendor_format': KEEPS_THE_REST,
    'TraceContextTest.test_tracestate_key_length_limit': KEEPS_THE_REST,
    'TraceContextTest.test_tracestate_member_count_limit': KEEPS_THE_REST,
    'TraceContextTest.test_tracestate_value_illegal_characters': KEEPS_THE_REST,
  },
}
