import * as nestjs from '@narthex/nestjs'
import { expect, it } from 'vitest'

it('exports these names, and no others', () => {
  expect(Object.keys(nestjs).toSorted()).toEqual([
    'Counted',
    'InProgress',
    'InjectMetric',
    'PrometheusController',
    'PrometheusModule',
    'SkipMetrics',
    'Timed',
    'getMetricToken',
    'makeCounterProvider',
    'makeEnumProvider',
    'makeGaugeProvider',
    'makeHistogramProvider',
    'makeInfoProvider',
    'makeSummaryProvider',
  ])
})
