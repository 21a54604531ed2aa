import { isFamily } from './family.js'
import { fromForeign } from './foreign.js'
import { defaultLabelsOf, type ForeignMetric, type Register } from './register.js'
import type { FamilySnapshot } from './snapshot.js'

/** How long metrics of others may take to be collected; one that has not answered stays as it was. */
const DEADLINE_MS = 200

/** Reads all metrics of a register: ours as they are, those of others as they last said. */
export class Reading {
  private readonly said = new WeakMap<object, FamilySnapshot[]>()
  private readonly asked = new WeakSet<object>()

  constructor(private readonly register: Register) {}

  /** Never fails and never takes long: one bad `collect` must not cost the whole answer. */
  async read(): Promise<FamilySnapshot[]> {
    const foreign = this.metrics().filter((metric) => !isFamily(metric) && !this.asked.has(metric))
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DEADLINE_MS)
    })
    await Promise.race([Promise.all(foreign.map((metric) => this.ask(metric as AskedMetric))), deadline])
    clearTimeout(timer)
    return this.now()
  }

  /** As `read`, with what others said last. */
  now(): FamilySnapshot[] {
    const families = this.metrics().flatMap((metric) =>
      isFamily(metric) ? metric.snapshot() : (this.said.get(metric) ?? []),
    )
    const defaults = defaultLabelsOf(this.register)
    if (Object.keys(defaults).length === 0) return families
    return families.map((family) => ({
      ...family,
      series: family.series.map((one) => ({ ...one, labels: { ...defaults, ...one.labels } })),
    }))
  }

  private metrics(): readonly object[] {
    return this.register.getMetricsAsArray() as readonly object[]
  }

  private async ask(metric: AskedMetric): Promise<void> {
    this.asked.add(metric)
    try {
      const isOpenMetrics = this.register.contentType.includes('openmetrics')
      this.said.set(metric, fromForeign(await metric.get(), isOpenMetrics))
    } catch {
      // It stays as it was.
    } finally {
      this.asked.delete(metric)
    }
  }
}

interface AskedMetric {
  get(): Promise<ForeignMetric> | ForeignMetric
}
