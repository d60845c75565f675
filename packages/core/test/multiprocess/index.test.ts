import * as multiprocess from '@narthex/core/multiprocess'
import { expect, it } from 'vitest'

it('exports these names, and no others', () => {
  expect(Object.keys(multiprocess)).toEqual(['enableMultiprocess'])
})
