import * as parse from '@narthex/core/parse'
import { expect, it } from 'vitest'

it('exports the parsers and their error', () => {
  expect(Object.keys(parse).sort()).toEqual(['ParseError', 'parseOpenMetrics', 'parseProtobuf', 'parseText'])
})
