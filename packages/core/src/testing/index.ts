export { expectMetrics, expectNoLintProblems, type MetricsExpectation } from './expect-metrics.ts'
export { lint, type LintProblem } from './lint.ts'
export { type MetricSource } from './metric-source.ts'
export { getSampleValue, type SampleSource } from './sample-value.ts'
