import * as testing from '@narthex/core/testing'
import { expect, it } from 'vitest'

it('exports the helpers', () => {
  expect(Object.keys(testing).sort()).toEqual(['expectMetrics', 'expectNoLintProblems', 'getSampleValue', 'lint'])
})
