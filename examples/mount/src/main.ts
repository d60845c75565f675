import { createServer } from 'node:http'
import { Counter } from '@narthex/core'
import { metricsHandler, metricsResponse } from '@narthex/core/http'

const greetings = new Counter({ name: 'greetings', help: 'Greetings given', labelNames: ['server'] })

/**
 * `/metrics` goes to the handler and everything else to the application, as Flask does it with DispatcherMiddleware.
 */
const serveMetrics = metricsHandler()
const server = createServer((request, response) => {
  if (request.url?.split('?', 1)[0] === '/metrics') return serveMetrics(request, response)
  greetings.inc({ server: 'node' })
  response.end('Hello from node:http\n')
})

/** The same for a server that speaks Fetch (Bun, Deno, Hono, an edge worker): a Request in, a Response out. */
async function handleFetch(request: Request): Promise<Response> {
  if (new URL(request.url).pathname === '/metrics') return metricsResponse(request)
  greetings.inc({ server: 'fetch' })
  return new Response('Hello from Fetch\n')
}

server.listen(Number(process.env['PORT'] ?? 8002), async () => {
  const { port } = server.address() as { port: number }
  console.log(`Application: http://localhost:${port}/  Metrics: http://localhost:${port}/metrics`)
  if (process.env['ONCE'] === undefined) return

  await fetch(`http://localhost:${port}/`)
  await handleFetch(new Request('http://shop.example/'))
  const fromNode = await (await fetch(`http://localhost:${port}/metrics`)).text()
  const fromFetch = await (await handleFetch(new Request('http://shop.example/metrics'))).text()
  console.log(fromNode)
  console.log(fromFetch === fromNode ? 'Both servers serve the same page.' : 'The pages differ.')
  server.close()
})
