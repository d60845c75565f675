// The CPU time that a request to an Express application costs, bare and instrumented: `node express.mjs <slices>
// <variant>...`. Servers and load have a core each, so that neither takes the other's time; the servers take turns of a
// second, so that what slows the machine slows them all.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { median } from './statistics.mjs'

const WARM_UP_SECONDS = 3
const [, , slices, ...variants] = process.argv
const wrk = has('wrk', '--version')
const taskset = has('taskset', '--version')

const servers = await Promise.all(variants.map(start))
for (const { port } of servers) await load(port, WARM_UP_SECONDS)
for (let slice = 0; slice < Number(slices); slice++) {
  for (const server of servers) {
    const before = await usage(server.child)
    await load(server.port, 1)
    const after = await usage(server.child)
    server.microseconds.push((after.microseconds - before.microseconds) / (after.answered - before.answered))
  }
}
for (const { child } of servers) child.kill()

const [bare] = servers
const results = {}
for (const { variant, microseconds } of servers) {
  const added = microseconds.map((time, slice) => time - bare.microseconds[slice])
  results[variant] = { microseconds: median(microseconds), addedMicroseconds: median(added) }
}
console.log(JSON.stringify(results))

async function start(variant) {
  const file = fileURLToPath(new URL('express-server.mjs', import.meta.url))
  const [program, ...options] = pinned(0, [process.execPath, file, variant])
  const env = { ...process.env, NODE_ENV: 'production' }
  const child = spawn(program, options, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env })
  const [{ port }] = await once(child, 'message')
  return { variant, child, port, microseconds: [] }
}

async function usage(child) {
  child.send('usage')
  const [answer] = await once(child, 'message')
  return answer
}

async function load(port, seconds) {
  const url = `http://127.0.0.1:${port}`
  const script = (name) => fileURLToPath(new URL(name, import.meta.url))
  const [program, ...options] = pinned(
    1,
    wrk
      ? ['wrk', '-t', '1', '-c', '16', '-d', `${seconds}s`, '-s', script('express.lua'), url]
      : [process.execPath, script('autocannon.mjs'), url, String(seconds)],
  )
  const [code] = await once(spawn(program, options, { stdio: ['ignore', 'ignore', 'inherit'] }), 'close')
  if (code !== 0) throw new Error(`the load ended with code ${code}`)
}

function pinned(core, command) {
  return taskset ? ['taskset', '-c', String(core), ...command] : command
}

function has(program, option) {
  return spawnSync(program, [option], { stdio: 'ignore' }).error === undefined
}
