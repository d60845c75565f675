import { negotiate, openMetricsFormat, protobufFormat, textFormat } from '@narthex/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatOf } from '../../src/exposition/negotiate.ts'

const TEXT = 'text/plain; version=0.0.4; charset=utf-8; escaping='
const TEXT_1 = 'text/plain; version=1.0.0; charset=utf-8; escaping='
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping='
const PROTOBUF =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping='
const ASKS_PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'

const HEADERS: readonly [title: string, accept: string | null | undefined, contentType: string][] = [
  ['no header', undefined, `${TEXT}underscores`],
  ['null', null, `${TEXT}underscores`],
  ['an empty header', '', `${TEXT}underscores`],
  ['anything', '*/*', `${TEXT}underscores`],
  ['a bare star', '*', `${TEXT}underscores`],
  ['any text', 'text/*', `${TEXT}underscores`],
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', `${TEXT}underscores`],
  ['nothing we have', 'application/json', `${TEXT}underscores`],
  ['no grammar at all', ';;=,,/,a/b/c;q', `${TEXT}underscores`],
  [
    'Prometheus 3',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    `${OPEN_METRICS}allow-utf-8`,
  ],
  [
    'Prometheus 3 for native histograms',
    `${ASKS_PROTOBUF};q=0.6,application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,*/*;q=0.1`,
    `${PROTOBUF}underscores`,
  ],
  [
    'Prometheus 2.42',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    `${OPEN_METRICS}underscores`,
  ],
  [
    'text 1.0.0',
    'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4',
    `${TEXT_1}allow-utf-8`,
  ],
  ['text in another version', 'text/plain;version=0.0.3', `${TEXT}underscores`],
  ['plain text', 'text/plain', `${TEXT}underscores`],
  ['OpenMetrics without a version', 'application/openmetrics-text', `${OPEN_METRICS}underscores`],
  ['OpenMetrics 2.0', 'application/openmetrics-text;version=2.0.0', `${TEXT}underscores`],
  [
    'OpenMetrics with another charset',
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
    `${OPEN_METRICS}underscores`,
  ],
  [
    'OpenMetrics 0.0.1',
    'application/openmetrics-text;version=0.0.1',
    'application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores',
  ],
  ['types in capitals', 'Application/OpenMetrics-Text; Version=1.0.0', `${OPEN_METRICS}underscores`],
  ['protobuf without its message', 'application/vnd.google.protobuf', `${TEXT}underscores`],
  ['another message', 'application/vnd.google.protobuf;proto=x.Y;encoding=delimited', `${TEXT}underscores`],
  ['weights', `text/plain;q=0.4, ${ASKS_PROTOBUF};q=0.5`, `${PROTOBUF}underscores`],
  ['equal weights, in order', `application/openmetrics-text, ${ASKS_PROTOBUF}`, `${OPEN_METRICS}underscores`],
  ['no weight is one', `${ASKS_PROTOBUF};q=0.9, application/openmetrics-text`, `${OPEN_METRICS}underscores`],
  [
    'a weight that is no number last',
    `${ASKS_PROTOBUF};q=x, application/openmetrics-text;q=0.1`,
    `${OPEN_METRICS}underscores`,
  ],
  ['weight zero refuses', 'application/openmetrics-text;version=1.0.0;q=0, */*', `${TEXT}underscores`],
  ['the escaping of an earlier clause', 'application/json;escaping=values, text/plain', `${TEXT}values`],
  ['not that of a later one', 'text/plain, application/json;escaping=values;q=0.5', `${TEXT}underscores`],
  ['the escaping of a wildcard', '*/*;escaping=dots', `${TEXT}dots`],
  ['an unknown escaping', 'text/plain;escaping=shout', `${TEXT}underscores`],
]

describe('negotiate()', () => {
  it.each(HEADERS)('answers %s', (_title, accept, contentType) => {
    expect(negotiate(accept).contentType).toBe(contentType)
  })

  it('gives a format that escapes as its content type says', () => {
    expect(negotiate('text/plain;escaping=allow-utf-8').escaping).toBe('allow-utf-8')
  })

  it('never throws', () => {
    const piece = fc.constantFrom(
      'a',
      '/',
      ';',
      ',',
      '=',
      'q=',
      '*',
      ' ',
      'version=1.0.0',
      'text/plain',
      'escaping=dots',
      '"',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        (header) => {
          expect(negotiate(header).contentType).toMatch(/; escaping=(underscores|dots)$/)
        },
      ),
    )
  })

  it.each([',', ';', '=', '*/*,', 'a/b;escaping=dots,', 'text/plain;q=0.5;', `${ASKS_PROTOBUF};q=0.0001,`])(
    'takes a megabyte of %j',
    (piece) => {
      expect(negotiate(piece.repeat(Math.ceil(1e6 / piece.length))).contentType).toMatch(/; escaping=/)
    },
  )
})

describe('formatOf()', () => {
  it.each([textFormat, openMetricsFormat, protobufFormat])('knows $contentType', (format) => {
    expect(formatOf(format.contentType)?.contentType).toBe(format.contentType)
    expect(formatOf(format.withEscaping('dots').contentType)?.escaping).toBe('dots')
  })

  it.each(['', 'text/html', 'text/plain; version=9', 'text/plain; charset=latin1'])(
    'does not know %j',
    (contentType) => {
      expect(formatOf(contentType)).toBeUndefined()
    },
  )
})
