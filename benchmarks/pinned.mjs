// Servers and their load, on a core each where the machine can.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const hasTaskset = has('taskset')
const hasWrk = has('wrk')

/**
 * A program of servers with its arguments, once it has told its ports, and a load for each on 16 connections, which goes
 * on until it is killed.
 */
export async function startServer(name, args) {
  const child = run(0, [process.execPath, script(name), ...args], ['ipc'])
  const [{ ports }] = await once(child, 'message')
  const loads = ports.map((port) => {
    const url = `http://127.0.0.1:${port}`
    const wrk = ['wrk', '-t', '1', '-c', '16', '-d', '1h', '-s', script('http.lua'), url]
    return run(1, hasWrk ? wrk : [process.execPath, script('autocannon.mjs'), url])
  })
  return { child, loads }
}

function run(core, command, channels = []) {
  const [program, ...options] = hasTaskset ? ['taskset', '-c', String(core), ...command] : command
  const env = { ...process.env, NODE_ENV: 'production' }
  return spawn(program, options, { stdio: ['ignore', 'ignore', 'inherit', ...channels], env })
}

function script(name) {
  return fileURLToPath(new URL(name, import.meta.url))
}

function has(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}
