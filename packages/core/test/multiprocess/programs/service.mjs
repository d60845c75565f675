// A service in one or several processes or threads, as MODE says: `alone`, `cluster`, `workers` (of a cluster, whose
// primary does not take part), `fork`, `threads`, or `pm2`, where somebody else starts the processes. Each of them leaves
// its port in the folder PLACES, in a file named after it.
import { fork } from 'node:child_process'
import cluster from 'node:cluster'
import { writeFileSync, renameSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, threadId, Worker } from 'node:worker_threads'
import { Counter, Enum, Gauge, Histogram, Info, Summary } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { metricsHandler } from '@narthex/core/http'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const { MODE, PLACES, PROCESSES = '1' } = process.env
const file = fileURLToPath(import.meta.url)
const isHelper = process.env.HELPER === '1' && !isMainThread
const isStarter = (MODE === 'fork' && process.send === undefined) || (MODE === 'threads' && isMainThread)
// In a thread of a worker `cluster.isPrimary` is true.
const isPrimary = (MODE === 'cluster' || MODE === 'workers') && cluster.isPrimary && isMainThread
const starts = isStarter || isPrimary

if (!(MODE === 'workers' && starts) && process.env.ENABLE !== 'no') enableMultiprocess()
collectDefaultMetrics()

const requests = new Counter({ name: 'requests', help: 'Requests', labelNames: ['kind'] })
const seconds = new Histogram({ name: 'seconds', help: 'Seconds', buckets: [0.5, 1, 2], labelNames: ['kind'] })
const sizes = new Histogram({ name: 'sizes', help: 'Sizes', native: { factor: 1.1 } })
const waits = new Summary({ name: 'waits', help: 'Waits', quantiles: [0.5] })
const open = new Gauge({ name: 'open', help: 'Open' })
new Info({ name: 'build', help: 'Build' }).info({ version: '1' })
new Enum({ name: 'state', help: 'State', states: ['on', 'off'] }).state('on')

function work(kind, number) {
  requests.inc({ kind })
  seconds.observe({ kind }, number / 4)
  sizes.observe(number + 1)
  waits.observe(number / 8)
}

// Whoever started all this has gone, and what is stopped would stay for ever.
if (isMainThread && (starts || MODE === 'alone')) process.stdin.on('end', () => process.exit()).resume()

if (isHelper) parentPort.on('message', ({ id, number }) => (work('thread', number), parentPort.postMessage(id, [])))
else if (!starts) serve()
else if (MODE === 'fork') for (let n = 0; n < PROCESSES; n++) fork(file)
else if (MODE === 'threads') for (let n = 0; n < PROCESSES; n++) new Worker(file)
else {
  const workers = new Set()
  const start = () => {
    const { process: child } = cluster.fork()
    workers.add(child)
    child.on('exit', () => workers.delete(child) && start())
  }
  for (let n = 0; n < PROCESSES; n++) start()
  process.on('exit', () => workers.forEach((child) => child.kill('SIGKILL')))
}

function serve() {
  const metrics = metricsHandler()
  let thread
  const waiting = new Map()
  const startThread = () => {
    thread = new Worker(file, { env: { ...process.env, HELPER: '1' } })
    thread.on('message', (id) => answer(id, 200))
    thread.on('exit', () => [...waiting.keys()].forEach((id) => answer(id, 503)))
  }
  const answer = (id, status) => {
    waiting.get(id)?.writeHead(status).end()
    waiting.delete(id)
  }
  let ids = 0
  const listener = async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost')
    const number = Number(searchParams.get('number') ?? 1)
    if (pathname === '/metrics') return metrics(request, response)
    open.inc()
    response.on('close', () => open.dec())
    if (pathname === '/thread') {
      if (thread === undefined) startThread()
      waiting.set(++ids, response)
      return thread.postMessage({ id: ids, number }, [])
    }
    if (pathname === '/terminate') {
      const ended = thread
      startThread()
      await ended?.terminate()
      return response.end()
    }
    work('main', number)
    response.end(String(process.pid))
  }
  const own = createServer({ keepAliveTimeout: 60_000 }, listener).listen({
    port: 0,
    host: '127.0.0.1',
    exclusive: true,
  })
  own.once('listening', () => {
    const place = `${PLACES}/${process.pid}-${threadId}`
    writeFileSync(`${place}.tmp`, JSON.stringify({ pid: process.pid, port: own.address().port }))
    renameSync(`${place}.tmp`, `${place}.json`)
    process.send?.('ready')
  })
}
