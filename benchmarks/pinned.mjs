// A server and its load, on a core each where the machine can.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const hasTaskset = has('taskset')

/**
 * A program with its arguments, once it has told its port, and a load on 16 connections that goes on until it is killed.
 * `under` is the program that the server runs under, with its options.
 */
export async function startServer(name, args, { under = [], flags = [] } = {}) {
  const command = [...under, process.execPath, '--expose-gc', ...flags, script(name), ...args]
  const child = run(0, command, ['ipc'])
  const [{ port }] = await once(child, 'message')
  const url = `http://127.0.0.1:${port}`
  return { child, load: run(1, [process.execPath, script('load.mjs'), url]) }
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
