import { Counter, Registry } from '@narthex/core'
import { expect, it } from 'vitest'

it('serves a counter', async () => {
  const registry = new Registry()
  new Counter({ name: 'a', help: 'A', registry }).inc()
  expect(await registry.metrics()).toContain('a_total 1\n')
})
