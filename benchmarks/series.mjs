/** Three labels as HTTP metrics have them. */
export const LABEL_NAMES = ['method', 'route', 'code']
/** Eleven buckets, the default of every library here. */
export const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']
const CODES = ['200', '201', '204', '301', '304', '400', '401', '404', '409', '500']

/** `count` label sets in which every value comes back: methods × routes × codes. */
export function* crossedLabelSets(count) {
  const routes = Math.ceil(count / (METHODS.length * CODES.length))
  for (let index = 0; index < count; index++) {
    const route = `/api/v1/resource-${index % routes}/:id`
    const rest = Math.floor(index / routes)
    yield { method: METHODS[rest % METHODS.length], route, code: CODES[Math.floor(rest / METHODS.length)] }
  }
}

/** `count` label sets of which the first value alone tells them apart. */
export function* uniqueLabelSets(count) {
  for (let index = 0; index < count; index++) {
    yield { method: `tenant-${index}`, route: '/api/v1/resource/:id', code: '200' }
  }
}

/** A histogram in which every series has seen a few fractions of a second. */
export function fillHistogram(library, labelSets, name = 'http_request_duration_seconds') {
  const histogram = library.histogram({
    name,
    help: 'Seconds a request took.',
    labelNames: LABEL_NAMES,
    buckets: BUCKETS,
  })
  let seed = 1
  for (const labels of labelSets) {
    const child = histogram.labels(labels)
    for (let observation = 0; observation < 5; observation++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      child.observe((seed / 2 ** 32) ** 4 * 12)
    }
  }
  return histogram
}
