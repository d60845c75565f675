import { describe, expect, it } from 'vitest'
import { histogramQuantile, reportAll, reportRoutes } from '../src/route-report.ts'
import { emptySnapshot, readSnapshot, type Snapshot } from '../src/snapshot.ts'

function snapshot(time: number, page: string): Snapshot {
  return { ...readSnapshot(page), time }
}

const page = (ok: number, failed: number, fast: number): string => `# TYPE http_requests_total counter
http_requests_total{method="GET",route="/a",code="200"} ${ok}
http_requests_total{method="GET",route="/a",code="500"} ${failed}
http_requests_total{method="POST",route="/b",code="404"} 6
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{method="GET",route="/a",code="200",le="0.1"} ${fast}
http_request_duration_seconds_bucket{method="GET",route="/a",code="200",le="+Inf"} ${ok}
http_request_duration_seconds_sum{method="GET",route="/a",code="200"} 1
http_request_duration_seconds_count{method="GET",route="/a",code="200"} ${ok}
# TYPE http_requests_in_flight gauge
http_requests_in_flight{method="GET"} 3
`

describe('A report of routes', () => {
  it('takes rates and shares from what happened between two pages', () => {
    const reports = reportRoutes(snapshot(100, page(10, 0, 10)), snapshot(105, page(40, 10, 25)))
    expect(reports.get('GET /a')).toMatchObject({ requests: 40, rate: 8, errorShare: 0.25, p50: 0.1, p99: 0.1 })
  })

  it('takes a route that was not there before as having counted nothing', () => {
    const report = reportRoutes(emptySnapshot(0), snapshot(2, page(1, 0, 1))).get('POST /b')
    expect(report).toMatchObject({ requests: 6, rate: 3, errorShare: 0, p50: NaN })
  })

  it('adds up the routes of a method, and of all methods', () => {
    const [before, after] = [emptySnapshot(0), snapshot(1, page(10, 10, 10))]
    expect(reportAll(before, after, 'GET')).toMatchObject({ requests: 20, errorShare: 0.5 })
    expect(reportAll(before, after).requests).toBe(26)
  })

  it('has no share and no quantiles where nothing happened', () => {
    const same = page(10, 0, 10)
    expect(reportRoutes(snapshot(0, same), snapshot(1, same)).get('GET /a')).toEqual({
      requests: 0,
      rate: 0,
      errorShare: NaN,
      p50: NaN,
      p99: NaN,
    })
  })
})

describe('histogramQuantile', () => {
  const buckets = [
    { le: 1, count: 10 },
    { le: 2, count: 30 },
    { le: 4, count: 40 },
    { le: Infinity, count: 50 },
  ]

  it('finds the bucket and takes what is in it as evenly spread', () => {
    expect(histogramQuantile(0.1, buckets)).toBe(0.5)
    expect(histogramQuantile(0.4, buckets)).toBe(1.5)
    expect(histogramQuantile(0.7, buckets)).toBe(3)
  })

  it('gives the last bound for what lies beyond it', () => {
    expect(histogramQuantile(0.99, buckets)).toBe(4)
  })

  it('gives NaN for no observations and for no buckets', () => {
    expect(histogramQuantile(0.5, [{ le: Infinity, count: 0 }])).toBeNaN()
    expect(histogramQuantile(0.5, [])).toBeNaN()
  })
})
