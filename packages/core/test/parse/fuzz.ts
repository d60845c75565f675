import { encode, openMetricsFormat, protobufFormat, textFormat1 } from '@narthex/core'
import { ParseError, parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import fc from 'fast-check'
import { arbitraryFamilies, OPENMETRICS, PROTOBUF, TEXT } from '../arbitrary-family.ts'
import { OPENMETRICS_ACCEPTED, OPENMETRICS_REFUSED, TEXT_ACCEPTED, TEXT_REFUSED } from './cases.ts'

/**
 * Fuzzes the parsers: whatever the bytes, they either parse or throw `ParseError`. Tests run it for a moment; by hand it
 * runs as long as one likes, in rounds with seeds of their own, and prints the counterexample it finds:
 *
 *     NARTHEX_FUZZ_MINUTES=60 node_modules/.bin/vitest run packages/core/test/parse/fuzz.test.ts
 */
export function fuzz(runs: number, seed?: number): void {
  fc.assert(
    fc.property(arbitraryPage(), (page) => parsesOrRefuses(page)),
    { numRuns: runs, seed },
  )
}

/** Random bytes, or a good page with a few pieces cut out, doubled or replaced. */
function arbitraryPage(): fc.Arbitrary<Uint8Array> {
  const utf8 = new TextEncoder()
  const cases = [...TEXT_ACCEPTED, ...TEXT_REFUSED, ...OPENMETRICS_ACCEPTED, ...OPENMETRICS_REFUSED]
  const written = fc.oneof(
    fc.constantFrom(...cases.map(([, page]) => utf8.encode(page))),
    arbitraryFamilies(TEXT).map((families) => encode(families, textFormat1.withEscaping('allow-utf-8'))),
    arbitraryFamilies(OPENMETRICS).map((families) => encode(families, openMetricsFormat.withEscaping('allow-utf-8'))),
    arbitraryFamilies(PROTOBUF).map((families) => encode(families, protobufFormat.withEscaping('allow-utf-8'))),
  )
  const edit = fc.record({
    at: fc.nat(),
    length: fc.nat(12),
    piece: fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.constantFrom(...TOKENS).map((token) => utf8.encode(token)),
    ),
  })
  const edited = fc
    .tuple(written, fc.array(edit, { maxLength: 5 }))
    .map(([page, edits]) => edits.reduce(applyEdit, page))
  return fc.oneof({ weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) }, { weight: 6, arbitrary: edited })
}

const TOKENS = [
  ...'{}",=#\\ \n\t\r:+-.eé\u{1f600}',
  '# EOF\n',
  '# TYPE a histogram\n',
  '# HELP a ',
  '\\n',
  'le="+Inf"',
  'quantile="0.5"',
  ' # {a="b"} 1',
  'NaN',
  '_total',
  '_bucket',
  '_created',
  '__proto__',
]

function applyEdit(
  page: Uint8Array,
  { at, length, piece }: { at: number; length: number; piece: Uint8Array },
): Uint8Array {
  const start = page.length === 0 ? 0 : at % page.length
  const rest = page.subarray(Math.min(page.length, start + length))
  const edited = new Uint8Array(start + piece.length + rest.length)
  edited.set(page.subarray(0, start))
  edited.set(piece, start)
  edited.set(rest, start + piece.length)
  return edited
}

function parsesOrRefuses(page: Uint8Array): void {
  const parsers = [
    () => parseText(page),
    () => parseText(page, { lenient: true }),
    () => parseOpenMetrics(page),
    () => parseOpenMetrics(page, { lenient: true }),
    () => parseProtobuf(page),
    () => parseText(new TextDecoder().decode(page)),
    () => parseOpenMetrics(String.fromCharCode(...page)),
  ]
  for (const parse of parsers) {
    try {
      for (const family of parse()) for (const series of family.series) void series.labels
    } catch (error) {
      if (!(error instanceof ParseError)) throw error
      const { line, column, offset } = error
      if (!(offset === undefined ? (line ?? 0) > 0 && (column ?? 0) > 0 : offset >= 0 && offset <= page.length))
        throw error
    }
  }
}
