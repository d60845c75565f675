import * as core from '@narthex/core'
import { expect, it, onTestFinished, vi } from 'vitest'

it('exports these names, and no others', () => {
  expect(Object.keys(core).toSorted()).toEqual([
    'ByteWriter',
    'Counter',
    'CounterChild',
    'CounterMetricFamily',
    'Enum',
    'EnumChild',
    'Gauge',
    'GaugeChild',
    'GaugeHistogramMetricFamily',
    'GaugeMetricFamily',
    'Histogram',
    'HistogramChild',
    'HistogramMetricFamily',
    'Info',
    'InfoChild',
    'InfoMetricFamily',
    'Metric',
    'MetricError',
    'Registry',
    'StateSetMetricFamily',
    'Summary',
    'SummaryChild',
    'SummaryMetricFamily',
    'UnknownMetricFamily',
    'defaultRegistry',
    'encode',
    'encodeStream',
    'exponentialBuckets',
    'exponentialBucketsRange',
    'linearBuckets',
    'negotiate',
    'openMetricsFormat',
    'protobufFormat',
    'samplesOf',
    'textFormat',
    'textFormat1',
    'traceExemplars',
  ])
})

it('starts no timer and registers nothing by being imported', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  vi.resetModules()
  const { defaultRegistry, Registry } = await import('@narthex/core')
  const fresh = new Registry()
  expect(vi.getTimerCount()).toBe(0)
  expect(await fresh.metrics()).toBe('')
  expect(await defaultRegistry.metrics()).toBe('')
})
