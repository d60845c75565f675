const fails = (): never => {
  throw new Error('hook')
}

/** Whoever touches it, fails. */
const untouchable = (): unknown =>
  new Proxy(Object.create(null) as object, { get: fails, has: fails, ownKeys: fails, getPrototypeOf: fails })

/** What a function among `labels` may return; `label` is absent where it cannot be one, and counts as lost. */
export const oddLabels: readonly { readonly name: string; readonly value: () => unknown; readonly label?: string }[] = [
  { name: 'throws', value: fails },
  { name: 'symbol', value: () => Symbol('x') },
  { name: 'bigint', value: () => 10n },
  { name: 'prototypeless', value: () => Object.create(null) as unknown },
  { name: 'proxy', value: untouchable },
  { name: 'function', value: () => fails },
  { name: 'array', value: () => ['x'] },
  { name: 'boxed', value: () => Object('x') as unknown },
  {
    name: 'getter',
    value: () => ({
      get toString() {
        return fails()
      },
    }),
  },
  { name: 'promise', value: () => Promise.resolve('x') },
  { name: 'rejects', value: () => Promise.reject(new Error('label')) },
  { name: 'nan', value: () => Number.NaN, label: 'NaN' },
  { name: 'negative_zero', value: () => -0, label: '0' },
  { name: 'infinity', value: () => -Infinity, label: '-Infinity' },
  { name: 'nothing', value: () => undefined, label: '' },
  { name: 'null', value: () => null, label: '' },
  { name: 'constructor', value: () => '__proto__', label: '__proto__' },
  { name: 'overflow', value: () => '__overflow__', label: '__overflow__' },
  { name: 'escapes', value: () => '"} 1\n# EOF\\', label: '"} 1\n# EOF\\' },
  { name: 'half', value: () => '\ud83d', label: '\ufffd' },
  { name: 'huge', value: () => 'é'.repeat(2 ** 17), label: 'é'.repeat(2 ** 17) },
]

const oddValues: readonly { readonly name: string; readonly value: () => unknown }[] = [
  { name: 'throws', value: fails },
  { name: 'promise', value: () => Promise.resolve(true) },
  { name: 'rejects', value: () => Promise.reject(new Error('hook')) },
  { name: 'symbol', value: () => Symbol('x') },
  { name: 'proxy', value: untouchable },
  { name: 'number', value: () => 7 },
]

type Hook = 'route' | 'ignore' | 'exemplars'

/** What other functions may return: each is a loss, and the request is counted as if the function were not there. */
export const hookCases: readonly { readonly hook: Hook; readonly name: string; readonly value: () => unknown }[] = [
  ...(['route', 'ignore', 'exemplars'] as const).flatMap((hook) => oddValues.map((odd) => ({ hook, ...odd }))),
  { hook: 'exemplars', name: 'long', value: () => ({ trace_id: 'x'.repeat(1000) }) },
  {
    hook: 'exemplars',
    name: 'getter',
    value: () => ({
      get trace_id() {
        return fails()
      },
    }),
  },
  { hook: 'exemplars', name: 'no text', value: () => ({ trace_id: 7n }) },
]
