import { encode, type MetricFamily, openMetricsFormat, protobufFormat, textFormat, textFormat1 } from '@narthex/core'
import { parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arbitraryFamilies, OPENMETRICS, PROTOBUF, TEXT } from '../arbitrary-family.ts'

const text = textFormat1.withEscaping('allow-utf-8')
const openMetrics = openMetricsFormat.withEscaping('allow-utf-8')
const protobuf = protobufFormat.withEscaping('allow-utf-8')

describe('what is written and read again', () => {
  it('is the same in text', () => {
    fc.assert(
      fc.property(arbitraryFamilies(TEXT), (families) => {
        expect(parseText(encode(families, text))).toEqual(families)
      }),
    )
  })

  it('is the same in OpenMetrics', () => {
    fc.assert(
      fc.property(arbitraryFamilies(OPENMETRICS), (families) => {
        const page = encode(families, openMetrics)
        expect(parseOpenMetrics(page)).toEqual(families)
        expect(parseOpenMetrics(page, { lenient: true })).toEqual(families)
      }),
    )
  })

  it('is the same in protobuf', () => {
    fc.assert(
      fc.property(arbitraryFamilies(PROTOBUF), (families) => {
        expect(parseProtobuf(encode(families, protobuf))).toEqual(families)
      }),
    )
  })

  it('is the same text after OpenMetrics and protobuf', () => {
    fc.assert(
      fc.property(arbitraryFamilies(TEXT), (families) => {
        const first = encode(families, text)
        const second = encode(parseOpenMetrics(encode(parseText(first), openMetrics)), protobuf)
        expect(pageOf(parseProtobuf(second))).toBe(new TextDecoder().decode(first))
      }),
    )
  })

  it('is the same text where names are escaped without loss', () => {
    fc.assert(
      fc.property(arbitraryFamilies(TEXT), (families) => {
        const first = encode(families, textFormat.withEscaping('values'))
        expect(pageOf(parseText(first))).toBe(new TextDecoder().decode(first))
      }),
    )
  })
})

function pageOf(families: readonly MetricFamily[]): string {
  return new TextDecoder().decode(encode(families, text))
}
