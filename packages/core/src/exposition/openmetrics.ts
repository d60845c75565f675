import type { MetricFamily } from '../family.ts'
import { formatOpenMetricsFloat, formatSeconds } from '../float.ts'
import { type EscapingScheme } from '../names.ts'
import type { ExpositionFormat } from './format.ts'
import { metadataName } from './lines.ts'
import { openMetricsRule, showsSum } from './openmetrics-rules.ts'
import { type TextDialect, writeTextFamily } from './text-family.ts'
import type { ByteWriter } from './writer.ts'

/**
 * OpenMetrics text 1.0.0, with UTF-8 names in quotes where the reader allows them. Counters always end in `_total`;
 * created times are `_created` lines behind the series they belong to; counts are plain digits and other values have a
 * point; timestamps are seconds without an exponent. Native histograms have no place in it.
 *
 * What OpenMetrics forbids is left out, so that one bad family costs no page: a series that breaks a rule of its type
 * (`openMetricsRule`), the sum and count of a histogram that saw negative values, an exemplar that breaks a rule, a unit
 * that the name does not end in or that its type may not have.
 */
export const openMetricsFormat: ExpositionFormat = /* @__PURE__ */ format('1.0.0', 'underscores', '')

/** The draft 0.0.1, for readers that ask for nothing newer: the same text under the old version. */
export const openMetricsDraftFormat: ExpositionFormat = /* @__PURE__ */ format('0.0.1', 'underscores', '')

function format(version: string, escaping: EscapingScheme, suffix: string): ExpositionFormat {
  const dialect: TextDialect = {
    escaping,
    openMetrics: true,
    metadata: writeMetadata,
    value: writeFloat,
    formatBound: formatOpenMetricsFloat,
    formatTime: formatSeconds,
    ruleFor: (family, series) => openMetricsRule(family, series, escaping),
    showsSum,
  }
  return {
    contentType: `application/openmetrics-text; version=${version}; charset=utf-8${suffix}`,
    escaping,
    withEscaping: (scheme) => format(version, scheme, `; escaping=${scheme}`),
    write: (family, page, refused) => writeTextFamily(family, page, dialect, refused),
    end: (page) => page.text('# EOF\n'),
  }
}

const UNIT = /^[a-zA-Z0-9_:]+$/

/** HELP, TYPE, UNIT: the order in which the official clients write them. */
function writeMetadata(page: ByteWriter, { help, type, unit = '' }: MetricFamily, escapedName: string): void {
  const name = metadataName(escapedName)
  if (help !== '') page.text(`# HELP ${name} ${escapeHelp(help)}\n`)
  page.text(`# TYPE ${name} ${type}\n`)
  if (type === 'info' || type === 'stateset' || !UNIT.test(unit)) return
  if (escapedName.endsWith(`_${unit}`)) page.text(`# UNIT ${name} ${unit}\n`)
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

/** Appends a number with a point or an exponent, small whole numbers without a detour over a string. */
function writeFloat(page: ByteWriter, value: number): void {
  if (value >= 0 && value < 1e6 && value === (value | 0)) {
    page.integer(value)
    page.byte(0x2e)
    page.byte(0x30)
  } else page.text(formatOpenMetricsFloat(value))
}
