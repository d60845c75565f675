export { enableMultiprocess, type MultiprocessOptions } from './enable-multiprocess.ts'
export { type Multiprocess } from './multiprocess.ts'
