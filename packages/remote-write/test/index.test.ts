import * as remoteWrite from '@narthex/remote-write'
import { expect, it } from 'vitest'

it('exports what the README names', () => {
  expect(Object.keys(remoteWrite).sort()).toEqual(['RemoteWriteError', 'RemoteWriter'])
})
