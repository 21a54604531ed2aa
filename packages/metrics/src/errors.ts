import { ScaleError } from '@scale/core'

/** One name was given to two metrics, or to two registers. */
export class MetricConflict extends ScaleError {
  constructor(name: string, message?: string) {
    super(
      message ??
        `The register has a metric \`${name}\` already, made by somebody else or with another type, other labels or other ` +
          'buckets. Remove it, or give this one a register of its own.',
      { code: 'ERR_SCALE_METRIC_CONFLICT' },
    )
  }

  static ofFleets(name: string): MetricConflict {
    return new MetricConflict(
      name,
      `Two registers of one process are called \`${name}\`: what workers push could not be told apart. Call ` +
        "`fleet({ register, name: '…' })` for one of them, in the primary and in each worker.",
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
