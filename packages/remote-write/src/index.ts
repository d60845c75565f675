export { RemoteWriteError } from './remote-write-error.ts'
export { type RemoteWriteOptions } from './remote-write-options.ts'
export { RemoteWriter } from './remote-writer.ts'
