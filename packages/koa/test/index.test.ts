import * as koa from '@narthex/koa'
import { expect, it } from 'vitest'

it('exports the middleware and nothing else', () => {
  expect(Object.keys(koa)).toEqual(['prometheus'])
})
