export { parseOpenMetrics, type ParseOpenMetricsOptions } from './openmetrics.ts'
export { ParseError, type ParsePosition } from './parse-error.ts'
export { parseProtobuf } from './protobuf.ts'
export { parseText, type ParseTextOptions } from './text.ts'
