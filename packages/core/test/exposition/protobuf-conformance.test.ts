import { Buffer } from 'node:buffer'
import { encode, protobufFormat } from '@narthex/core'
import { parseProtobuf } from '@narthex/core/parse'
import { expect } from 'vitest'
import { ConformanceFolder } from '../conformance-folder.ts'
import { type DataFamily, familyFromData } from './families-from-data.ts'

const folder = new ConformanceFolder('protobuf', 'encoding')

interface Case {
  readonly name: string
  readonly input_b64: string
  readonly family: DataFamily
}

/** What is encoded is byte for byte what was decoded from. */
function check({ family, input_b64 }: Case): void {
  const page = encode([familyFromData(family)], protobufFormat.withEscaping('allow-utf-8'))
  expect(Buffer.from(page).toString('hex')).toBe(Buffer.from(input_b64, 'base64').toString('hex'))
}

folder.file('common_testdata_protobuf.json', {}, check)
folder.file('common_testdata_protobuf-multimessage.json', {}, check)

/** Times to the nanosecond, which a number of seconds cannot hold, and zeros left out that client_golang writes. */
const EQUAL_IN_MEANING = new Set([
  'test_gauge_histogram',
  'test_gauge_float_histogram',
  'test_histogram2',
  'test_histogram_family',
  'test_float_histogram_with_zerothreshold_zero',
  'test_summary_with_createdtimestamp',
  'test_histogram_with_createdtimestamp',
  'test_gaugehistogram_with_createdtimestamp',
])

function checkMeaning(one: Case): void {
  if (!EQUAL_IN_MEANING.has(one.name)) {
    check(one)
    return
  }
  const original = parseProtobuf(new Uint8Array(Buffer.from(one.input_b64, 'base64')))
  const page = encode([familyFromData(one.family)], protobufFormat.withEscaping('allow-utf-8'))
  expect(parseProtobuf(page)).toEqual(original)
}

folder.file('prometheus_protobuf_families.json', {}, checkMeaning)

/** What readers refuse is left out, and a family without series leaves nothing behind. */
function checkRefusal({ family }: Case): void {
  expect(encode([familyFromData(family)], protobufFormat)).toHaveLength(0)
}

folder.file('prometheus_protobuf_span_mismatch.json', {}, checkRefusal)
