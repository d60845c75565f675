import type { Aggregation, MetricType, Series } from '../family.ts'
import { infoRow, stateSetRow } from './fact-row.ts'
import { histogramRow } from './histogram-row.ts'
import type { RowKind } from './row.ts'
import { summaryRow } from './summary-row.ts'
import { counterRow, gaugeRow } from './value-row.ts'

/** How the series of a family become rows. */
export function rowKindOf(family: { readonly type: MetricType; readonly aggregation?: Aggregation }): RowKind<Series> {
  return kindOf(family) as unknown as RowKind<Series>
}

function kindOf({ type, aggregation = 'sum' }: { type: MetricType; aggregation?: Aggregation }): unknown {
  switch (type) {
    case 'counter':
      return counterRow
    case 'gauge':
    case 'unknown':
      return gaugeRow(aggregation)
    case 'histogram':
    case 'gaugehistogram':
      return histogramRow
    case 'summary':
      return summaryRow
    case 'info':
      return infoRow
    case 'stateset':
      return stateSetRow
  }
}

/** Types whose numbers are true only while their thread runs: the others count what happened, and stay. */
export function isOfThePresent(family: { readonly type: MetricType; readonly live?: false }): boolean {
  const { type } = family
  return type !== 'counter' && type !== 'histogram' && type !== 'summary' && family.live !== false
}
