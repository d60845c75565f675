import { type EscapingScheme, negotiate } from '@narthex/core'
import { expect } from 'vitest'
import { type ContentEncoding, negotiateEncoding } from '../../src/exposition/negotiate-encoding.ts'
import { formatOf } from '../../src/exposition/negotiate.ts'
import { ConformanceFolder } from '../conformance-folder.ts'

const folder = new ConformanceFolder('negotiation')

interface AcceptCase {
  readonly name: string
  readonly accept: string
  readonly default_escaping: EscapingScheme
  readonly content_type: string
}

const PROTOBUF_TEXT = 'readable protobuf is for debugging: Prometheus asks for encoding=delimited'

function check({ accept, default_escaping, content_type }: AcceptCase): void {
  expect(negotiate(accept, default_escaping).contentType).toBe(content_type)
}

folder.file('common_negotiate.json', { 'compact text format': PROTOBUF_TEXT }, check)
folder.file('common_negotiate_accept.json', {}, check)
folder.file(
  'common_negotiate_openmetrics.json',
  {
    'OM format, no version': 'OpenMetrics without a version is 1.0.0',
    'text format escaped': PROTOBUF_TEXT,
    'compact text format escaped': PROTOBUF_TEXT,
  },
  check,
)

interface HeaderCase {
  readonly name: string
  readonly accept: string
}

function checkHeader({ accept }: HeaderCase): void {
  // Prometheus lists what it wants best first: it gets the first, with the escaping of that clause or the next.
  const [first = ''] = accept.split(';')
  const escaping = /escaping=([a-z0-9-]+)/.exec(accept.slice(0, accept.indexOf(',')))?.[1] ?? 'underscores'
  const { contentType } = negotiate(accept)
  expect(contentType.split(';')[0]).toBe(first)
  expect(contentType).toMatch(new RegExp(`; escaping=${escaping}$`))
}

folder.file('prometheus_accept_headers.json', {}, checkHeader)

interface FormatCase {
  readonly name: string
  readonly format: string
  readonly expected: string
  readonly scheme?: string
}

const TYPES: Readonly<Record<string, string | undefined>> = {
  TypeProtoDelim: 'application/vnd.google.protobuf',
  TypeOpenMetrics: 'application/openmetrics-text',
  TypeTextPlain: 'text/plain',
  TypeUnknown: undefined,
}

const SCHEMES: Readonly<Record<string, EscapingScheme>> = {
  'model.NoEscaping': 'allow-utf-8',
  'model.UnderscoreEscaping': 'underscores',
  'model.DotsEscaping': 'dots',
  'model.ValueEncodingEscaping': 'values',
}

function checkType({ format, expected }: FormatCase): void {
  expect(Object.keys(TYPES)).toContain(expected)
  expect(formatOf(format)?.contentType.split(';')[0]).toBe(TYPES[expected])
}

function checkScheme({ format, expected }: FormatCase): void {
  expect(formatOf(format)?.escaping).toBe(SCHEMES[expected])
}

function checkWithScheme({ format, scheme = '', expected }: FormatCase): void {
  expect(formatOf(format)?.withEscaping(SCHEMES[scheme]).contentType).toBe(expected)
}

folder.file('common_to_format_type.json', { TestToFormatType_0: PROTOBUF_TEXT }, checkType)
folder.file('common_to_escaping_scheme.json', { TestToEscapingScheme_0: PROTOBUF_TEXT }, checkScheme)
folder.file('common_with_escaping_scheme.json', { 'no existing term, append one': PROTOBUF_TEXT }, checkWithScheme)

interface EncodingCase {
  readonly name: string
  readonly offered: readonly ContentEncoding[]
  readonly accept_encoding: string
  readonly content_encoding: ContentEncoding
}

function checkEncoding(one: EncodingCase): void {
  expect(negotiateEncoding(one.accept_encoding, one.offered)).toBe(one.content_encoding)
}

folder.file('client_golang_content_encoding.json', {}, checkEncoding)
