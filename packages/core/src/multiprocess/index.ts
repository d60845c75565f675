export { enableMultiprocess, type Multiprocess, type MultiprocessOptions } from './multiprocess.ts'
