export { prometheus, type PrometheusOptions } from './middleware.ts'
