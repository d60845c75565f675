import { type Builder, type Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import {
  LegendDisplayMode,
  LegendPlacement,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import { MappingType, type ValueMap } from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

/** The data source that the viewer has chosen. */
export const DATA_SOURCE = { type: 'prometheus', uid: '${datasource}' }

/** Three in a row of Grafana's 24 columns. */
const WIDTH = 8
const HEIGHT = 8

/** One line of a graph, or several: PromQL, and how they are called. */
export interface Query {
  readonly expr: string
  /** With `{{label}}`; all labels where there is none. */
  readonly legend?: string
  /** Shows exemplars on the graph. */
  readonly exemplars?: boolean
}

export interface PanelOptions {
  readonly title: string
  readonly description?: string
  readonly queries: readonly Query[]
}

export interface GraphOptions extends PanelOptions {
  /** Grafana's word. */
  readonly unit: string
  /** Puts the series upon each other. */
  readonly stacked?: boolean
  /** Starts the axis at 0. @default true */
  readonly fromZero?: boolean
}

/** Of any kind; the dashboard gives it its number and place. */
export type Panel = TimeSeriesBuilder | StateTimelineBuilder | TableBuilder

/** Lines over time. */
export function graph({ title, description, queries, unit, stacked = false, fromZero = true }: GraphOptions): Panel {
  const panel = new TimeSeriesBuilder()
    .title(title)
    .unit(unit)
    .lineWidth(1)
    .fillOpacity(stacked ? 30 : 8)
    .legend(legend())
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal))
  if (fromZero) panel.axisSoftMin(0)
  return placed(panel, description, queries.map(rangeQuery))
}

/** What is in which state, over time: `states` are the names of 0, 1, 2 … */
export function stateTimeline({ states, ...options }: PanelOptions & { states: readonly State[] }): Panel {
  const panel = new StateTimelineBuilder()
    .title(options.title)
    .mappings([mappingOf(states)])
    .legend(legend())
  return placed(panel, options.description, options.queries.map(rangeQuery))
}

/** A state's name and its colour, as Grafana calls it. */
export interface State {
  readonly name: string
  readonly colour: string
}

/** The labels of the series that there are now. */
export function table({ title, description, queries }: PanelOptions): Panel {
  const panel = new TableBuilder().title(title).withTransformation({
    id: 'organize',
    options: { excludeByName: { Time: true, Value: true, 'Value #A': true, __name__: true } },
  })
  return placed(
    panel,
    description,
    queries.map(({ expr }, index) => query(expr, index).instant().format(PromQueryFormat.Table)),
  )
}

function placed(panel: Panel, description: string | undefined, targets: Builder<Dataquery>[]): Panel {
  panel.datasource(DATA_SOURCE).targets(targets).span(WIDTH).height(HEIGHT)
  return description === undefined ? panel : panel.description(description)
}

function rangeQuery({ expr, legend: format, exemplars = false }: Query, index: number): DataqueryBuilder {
  const built = query(expr, index).range()
  if (format !== undefined) built.legendFormat(format)
  return exemplars ? built.exemplar(true) : built
}

function query(expr: string, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(DATA_SOURCE)
    .refId(String.fromCodePoint(65 + index))
    .expr(expr)
}

function legend(): VizLegendOptionsBuilder {
  return new VizLegendOptionsBuilder()
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .showLegend(true)
}

function mappingOf(states: readonly State[]): ValueMap {
  const entries = states.map(({ name, colour }, index) => [String(index), { text: name, color: colour, index }])
  return { type: MappingType.ValueToText, options: Object.fromEntries(entries) }
}
