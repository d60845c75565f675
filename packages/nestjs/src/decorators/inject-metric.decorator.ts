import { Inject } from '@nestjs/common'
import { getMetricToken } from '../prometheus.tokens.ts'

/** Injects the metric that one of the `make…Provider` functions provides under this name. */
export function InjectMetric(name: string): PropertyDecorator & ParameterDecorator {
  return Inject(getMetricToken(name))
}
