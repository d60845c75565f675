import type { MetricFamily, MetricType } from '../family.ts'
import { formatFloat } from '../float.ts'
import type { EscapingScheme } from '../names.ts'
import type { ExpositionFormat } from './format.ts'
import { metadataName } from './lines.ts'
import { timestampRule } from './refusal.ts'
import { type TextDialect, writeTextFamily } from './text-family.ts'
import type { ByteWriter } from './writer.ts'

/**
 * Prometheus text format 0.0.4, which every reader knows (prometheus/docs, "Exposition formats"). Timestamps are in
 * milliseconds; exemplars, created times, units and native histograms have no place in it.
 */
export const textFormat: ExpositionFormat = /* @__PURE__ */ format(
  '0.0.4',
  'underscores',
  'text/plain; version=0.0.4; charset=utf-8',
)

/** Prometheus text format 1.0.0: as 0.0.4, with any UTF-8 name in quotes where the reader allows it. */
export const textFormat1: ExpositionFormat = /* @__PURE__ */ format(
  '1.0.0',
  'underscores',
  'text/plain; version=1.0.0; charset=utf-8; escaping=underscores',
)

function format(version: string, escaping: EscapingScheme, contentType: string): ExpositionFormat {
  const dialect: TextDialect = {
    escaping,
    openMetrics: false,
    metadata: writeMetadata,
    value: writeFloat,
    formatBound: formatFloat,
    formatTime: (seconds) => String(Math.round(seconds * 1000)),
    ruleFor: (_family, series) => timestampRule(series),
    showsSum: () => true,
  }
  return {
    contentType,
    escaping,
    withEscaping: (scheme) =>
      format(version, scheme, `text/plain; version=${version}; charset=utf-8; escaping=${scheme}`),
    write: (family, page, refused) => writeTextFamily(family, page, dialect, refused),
  }
}

/** The five words of this format for the eight types. */
const TYPE_WORDS: Readonly<Record<MetricType, string>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'histogram',
  summary: 'summary',
  info: 'gauge',
  stateset: 'gauge',
  unknown: 'untyped',
}

function writeMetadata(page: ByteWriter, { help, type }: MetricFamily, escapedName: string): void {
  const name = metadataName(escapedName)
  if (help !== '') page.text(`# HELP ${name} ${escapeHelp(help)}\n`)
  page.text(`# TYPE ${name} ${TYPE_WORDS[type]}\n`)
}

/** 0.0.4 escapes only these two in HELP: a quote stays as it is. */
function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/** Appends a number as Go writes it, small whole numbers without a detour over a string. */
function writeFloat(page: ByteWriter, value: number): void {
  if (value >= 0 && value < 1e6 && value === (value | 0)) page.integer(value)
  else page.text(formatFloat(value))
}
