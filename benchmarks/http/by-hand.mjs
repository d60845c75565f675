// What people write with prom-client where there is no adapter: the same metrics but the gauge of requests in flight.
import client from 'prom-client'

const labelNames = ['method', 'route', 'code']
const requests = new client.Counter({ name: 'http_requests_total', help: 'HTTP requests.', labelNames })
const seconds = new client.Histogram({
  name: 'http_request_duration_seconds',
  help: 'Seconds of an HTTP request.',
  labelNames,
})

/** Starts a request's time; what it gives is called with the request's labels at its end. */
export function begin() {
  const end = seconds.startTimer()
  return (labels) => {
    end(labels)
    requests.inc(labels)
  }
}
