import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-node'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, beforeEach, expect, vi } from 'vitest'

/** The real SDK, registered for this process as an app does, with what it has exported in memory. */
export function telemetry(...more: SpanProcessor[]): {
  spans(): ReadableSpan[]
  server(): Promise<ReadableSpan>
  reset(): void
} {
  const exporter = new InMemorySpanExporter()
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter), ...more] })
  provider.register()
  beforeEach(() => exporter.reset())
  afterAll(() => provider.shutdown())
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans()
  return {
    spans,
    reset: () => exporter.reset(),
    /** The one server span, once it has ended. */
    async server() {
      await vi.waitFor(() => expect(spans().some(isServer)).toBe(true), { timeout: 10_000 })
      const servers = spans().filter(isServer)
      expect(servers).toHaveLength(1)
      return servers[0]!
    },
  }
}

function isServer({ kind }: ReadableSpan): boolean {
  return kind === 1
}
