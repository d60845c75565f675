import { describe, expect, it } from 'vitest'
import { isStreamType } from '../../src/http/stream-type.ts'

const STREAMS = [
  'text/event-stream',
  'multipart/x-mixed-replace',
  'application/x-ndjson',
  'application/stream+json',
  'application/jsonl',
]

const OTHERS = [
  '',
  'text',
  'text/plain',
  'text/html',
  'text/css',
  'text/csv',
  'text/javascript',
  'text/markdown',
  'text/evening-stream',
  'multipart/form-data',
  'multipart/mixed',
  'application/json',
  'application/problem+json',
  'application/xml',
  'application/soap+xml',
  'application/x-www-form-urlencoded',
  'application/octet-stream',
  'application/x-protobuf',
  'application/vnd.oai.openapi+json',
  'image/png',
  'image/svg+xml',
  'video/mp4',
  'font/woff2',
]

describe.each(['', ';charset=utf-8', '; charset=utf-8', '; boundary=jsonl'])(
  'with the parameters `%s`',
  (parameters) => {
    it.each(STREAMS)('%s is one of a stream', (type) => {
      expect(isStreamType(type + parameters)).toBe(true)
      expect(isStreamType(type.toUpperCase() + parameters)).toBe(true)
    })

    it.each(OTHERS)('%s is not', (type) => {
      expect(isStreamType(type + parameters)).toBe(false)
      expect(isStreamType(type.toUpperCase() + parameters)).toBe(false)
    })
  },
)
