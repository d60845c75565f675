// The instructions that a request costs, and what it has out of the caches, counted by valgrind:
// `node instructions.mjs <framework> <variant>...`. Two runs of one program differ by up to 2,000 of Koa's 95,000, by what
// the engine has put into what and when it collects; those of CPU time by more. Functions of the last variant that have
// more than those of the first are listed, and that is what it is for. A few minutes; needs Linux with valgrind.
//
// The caches are of a plain model, 32 kB and 512 kB. Code that runs once a request is missed there for each 64 bytes.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './pinned.mjs'

const WARM_UP_REQUESTS = 20_000
const REQUESTS = 20_000
const CACHES = ['--cache-sim=yes', '--I1=32768,8,64', '--D1=32768,8,64', '--LL=524288,8,64']
const [, , framework, ...variants] = process.argv

const counted = new Map()
for (const variant of variants) counted.set(variant, await count(variant))
for (const [variant, { answered, totals }] of counted) {
  const { Ir, I1mr, D1mr, D1mw, ILmr, DLmr, DLmw } = totals
  const each = { instructions: Ir, missesOfFirst: I1mr + D1mr + D1mw, missesOfSecond: ILmr + DLmr + DLmw }
  for (const [name, value] of Object.entries(each)) each[name] = Math.round(value / answered)
  console.log(JSON.stringify({ variant, ...each }))
}
if (counted.size > 1) listFunctions(counted.get(variants[0]), counted.get(variants.at(-1)))

async function count(variant) {
  const profile = join(tmpdir(), `narthex-instructions-${process.pid}.out`)
  const under = [
    'valgrind',
    '--quiet',
    '--tool=callgrind',
    '--instr-atstart=no',
    '--dump-instr=yes',
    '--smc-check=all-non-file',
    ...CACHES,
    `--callgrind-out-file=${profile}`,
  ]
  const flags = ['--single-threaded', '--perf-basic-prof']
  const { child, load } = await startServer('http-server.mjs', [framework, variant], { under, flags })
  await answeredBy(child, WARM_UP_REQUESTS / 4)
  child.send('collect')
  const before = await answeredBy(child, WARM_UP_REQUESTS)
  const control = (...options) => execFileSync('callgrind_control', [...options, String(child.pid)])
  control('--instr=on')
  const after = await answeredBy(child, before + REQUESTS)
  control('--instr=off')
  control('--dump')
  load.kill('SIGKILL')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const map = join(tmpdir(), `perf-${child.pid}.map`)
  const parts = execFileSync('sh', ['-c', `ls ${profile}.*`], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const result = { answered: after - before, ...read(parts.at(-1), map) }
  for (const file of [map, profile, ...parts]) rmSync(file, { force: true })
  return result
}

async function answeredBy(child, least) {
  for (;;) {
    child.send('usage')
    const [{ answered }] = await once(child, 'message')
    if (answered >= least) return answered
    await sleep(50)
  }
}

/** The events of a profile in all, and the instructions of each function; those of compiled code by V8's map of it. */
function read(file, map) {
  const symbolAt = symbolsOf(map)
  const names = new Map()
  const functions = new Map()
  const totals = {}
  let events = []
  let name = ''
  let address = 0
  let isCall = false
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line.startsWith('events: ')) events = line.slice(8).split(' ')
    else if (/^c?fn=/.test(line)) {
      const [, kind, id, text] = /^(c?fn)=\((\d+)\)(?: (.*))?$/.exec(line)
      if (text !== undefined) names.set(id, text)
      if (kind === 'fn') name = names.get(id)
    } else if (line.startsWith('calls=')) isCall = true
    else if (/^[+*-]|^0x/.test(line)) {
      const [position, , ...values] = line.split(' ')
      if (position.startsWith('0x')) address = Number(position)
      else if (position !== '*') address += Number(position)
      // What a call has cost is the callee's.
      if (!isCall) {
        events.forEach((event, index) => (totals[event] = (totals[event] ?? 0) + Number(values[index] ?? 0)))
        const owner = name === '???' || name.startsWith('0x') ? (symbolAt(address) ?? 'compiled code') : name
        functions.set(owner, (functions.get(owner) ?? 0) + Number(values[0] ?? 0))
      }
      isCall = false
    }
  }
  return { totals, functions }
}

/** Later code may be where earlier code was. */
function symbolsOf(map) {
  const codes = new Map()
  for (const line of readFileSync(map, 'utf8').split('\n')) {
    const [, start, size, name] = /^([0-9a-f]+) ([0-9a-f]+) (.*)$/.exec(line) ?? []
    if (name !== undefined) codes.set(Number.parseInt(start, 16), { end: Number.parseInt(size, 16), name })
  }
  const starts = [...codes.keys()].toSorted((a, b) => a - b)
  return (address) => {
    let [low, high] = [0, starts.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (starts[middle] <= address) low = middle + 1
      else high = middle
    }
    const start = starts[low - 1]
    const code = codes.get(start)
    return code !== undefined && address < start + code.end ? code.name.replace(/^JS:[*~^+]?/, '') : undefined
  }
}

function listFunctions(first, last) {
  const each = ({ answered, functions }, name) => (functions.get(name) ?? 0) / answered
  const more = [...last.functions.keys()]
    .map((name) => ({ name, before: each(first, name), after: each(last, name) }))
    .toSorted((a, b) => b.after - b.before - (a.after - a.before))
  for (const { name, before, after } of more.slice(0, 40)) {
    const difference = `+${(after - before).toFixed(0)}`.padStart(7)
    console.log(
      `${difference}  ${before.toFixed(0).padStart(6)} -> ${after.toFixed(0).padStart(6)}  ${name.slice(-100)}`,
    )
  }
}
