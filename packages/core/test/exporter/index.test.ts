import * as exporter from '@narthex/core/exporter'
import { expect, it } from 'vitest'

it('exports these names, and no others', () => {
  expect(Object.keys(exporter)).toEqual(['Exporter'])
})
