import { createServer, type RequestListener, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { Dashboard } from './dashboard.ts'
import { listenFrom } from './free-port.ts'
import { HOW_TO_GET_PROMETHEUS, Prometheus } from './prometheus.ts'
import { Shop } from './shop.ts'
import { Traffic } from './traffic.ts'

const HELP = `A bookshop under generated traffic, watched through its own /metrics.

  npm start -- [options]

  --seconds <n>       ends by itself after so many seconds; without it, Ctrl+C ends
  --port <n>          where the shop listens (3000, or the next free port)
  --prometheus        also starts the Prometheus found on the PATH, and links to a graph
  --framework <name>  what the shop is built with: express, fastify, koa or nestjs
  --help              this text
`

/** Builds the shop with one framework. */
type Framework = (shop: Shop) => Promise<RequestListener>

/** What the shop can be built with. Only the chosen framework is loaded. */
const FRAMEWORKS: ReadonlyMap<string, Framework> = new Map([
  ['express', async (shop: Shop) => (await import('./express-app.ts')).expressApp(shop)],
  ['fastify', async (shop: Shop) => (await import('./fastify-app.ts')).fastifyApp(shop)],
  ['koa', async (shop: Shop) => (await import('./koa-app.ts')).koaApp(shop)],
  ['nestjs', async (shop: Shop) => (await import('./nest-app.ts')).nestApp(shop)],
])

/** In seconds: a timer cannot be set to much more than three of them. */
const A_WEEK = 604_800

interface Options {
  /** Undefined: until Ctrl+C. */
  readonly seconds: number | undefined
  readonly port: number | undefined
  readonly prometheus: boolean
  readonly framework: Framework
}

try {
  const options = readOptions()
  if (options === undefined) process.stdout.write(HELP)
  else await run(options)
} catch (error) {
  console.error(`bookshop: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

/** Opens the shop, lets the customers in, and closes all of it again when the time is up. */
async function run(options: Options): Promise<void> {
  const asked = askedToEnd()
  using _runtime = collectDefaultMetrics()
  const server = createServer(await options.framework(new Shop()))
  const port = await listenFrom(server, 'localhost', options.port ?? 3000, options.port === undefined)
  const url = `http://localhost:${port}`
  console.log(`Metrics  ${url}/metrics`)
  console.log(`Shop     ${url}/books`)

  let prometheus: Prometheus | undefined
  try {
    if (options.prometheus) prometheus = await startPrometheus(`localhost:${port}`)
    const traffic = new Traffic({ url })
    const dashboard = new Dashboard(`${url}/metrics`, process.stdout)
    console.log(options.seconds === undefined ? 'Ctrl+C ends it.\n' : '')

    const timeIsUp = options.seconds === undefined ? [] : [sleep(options.seconds * 1_000, undefined, { ref: false })]
    await Promise.race([asked, ...timeIsUp])
    await dashboard.stop()
    await traffic.stop()
    await dashboard.printFinal(traffic)
  } finally {
    await prometheus?.stop()
    await close(server)
  }
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      port: { type: 'string' },
      prometheus: { type: 'boolean', default: false },
      framework: { type: 'string', default: 'express' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
  if (seconds !== undefined && !(seconds > 0 && seconds <= A_WEEK)) {
    throw new Error(`--seconds takes a number above 0 and up to ${A_WEEK}, not \`${values.seconds}\`.`)
  }
  const port = values.port === undefined ? undefined : Number(values.port)
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new Error(`--port takes a number from 0 to 65535, not \`${values.port}\`.`)
  }
  const framework = FRAMEWORKS.get(values.framework)
  if (framework === undefined) {
    throw new Error(`--framework takes one of ${[...FRAMEWORKS.keys()].join(', ')}, not \`${values.framework}\`.`)
  }
  return { seconds, port, prometheus: values.prometheus, framework }
}

async function startPrometheus(target: string): Promise<Prometheus | undefined> {
  const prometheus = await Prometheus.start({ target })
  if (prometheus === undefined) {
    console.log(`\n${HOW_TO_GET_PROMETHEUS}\n`)
    return undefined
  }
  console.log(`Graph    ${prometheus.graph('sum by (route) (rate(http_requests_total[30s]))')}`)
  return prometheus
}

/** Resolves when somebody presses Ctrl+C, or reads the output no more. Who presses it again does not want to wait. */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => {
      process.once('SIGINT', () => process.exit(130))
      resolve()
    })
    process.once('SIGTERM', () => resolve())
    process.stdout.on('error', () => resolve())
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
