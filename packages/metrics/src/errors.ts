import { ScaleError } from '@scale/core'

/** One name was given to two metrics that differ in type, labels or buckets. Thrown at construction. */
export class MetricConflict extends ScaleError {
  constructor(name: string) {
    super(
      `A metric \`${name}\` exists with another type, other labels or other buckets. Give one of them another name.`,
      { code: 'ERR_SCALE_METRIC_CONFLICT' },
    )
  }
}

/** `/metrics` was asked of a worker, which knows only its own share. */
export class MetricsInWorker extends ScaleError {
  constructor() {
    super(
      'metricsHandler: this is a cluster worker, which knows only its own requests. Serve metrics from the primary: ' +
        'with @scale/cluster in `admin.routes`, else from an http server in `if (cluster.isPrimary)`.',
      { code: 'ERR_SCALE_METRICS_IN_WORKER' },
    )
  }
}
