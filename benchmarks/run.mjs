// Compares Narthex with its peers: `npm run bench [-- --only <row>] [--quick] [--one-node]`.
//
// Each measurement has a process of its own; libraries take turns, round after round, on the same machine, so that what
// slows one slows all. What it prints are ratios first: nanoseconds belong to a machine. A complete run writes
// RESULTS.md.
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LIBRARIES, versionOf } from './libraries.mjs'
import { node24 } from './node-24.mjs'
import { rowsFor } from './rows.mjs'
import { lineOf, tableOf } from './table.mjs'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    'one-node': { type: 'boolean', default: false },
  },
})

const allRows = rowsFor(options)
const rows = allRows.filter(
  ({ name }) => options.only === undefined || options.only.some((wanted) => isPart(name, wanted)),
)
if (rows.length === 0) {
  console.error(`No row of that name. There are: ${allRows.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}
if (!canLoad('@narthex/core')) {
  console.error('packages/core is not built: run `npm run build` first.')
  process.exit(1)
}

const main = { binary: process.execPath, version: process.versions.node, main: true }
const sections = [main]
if (Number(main.version.split('.')[0]) < 22 && !options['one-node'] && !options.quick) {
  const binary = node24()
  if (binary === undefined)
    console.log('No Node 24 to be had: @prometheus-io/client, which needs Node 22, is left out.')
  else sections.push({ binary, version: execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim().slice(1) })
}

const tables = []
for (const section of sections) {
  const lines = measure(section)
  if (lines.length === 0) continue
  const heading = `## Node ${section.version}`
  tables.push(`${heading}\n\n${tableOf(lines)}`)
  console.log(`\n${tables.at(-1)}\n`)
}
const versions = [...new Set(['@narthex/core', ...allRows.flatMap(({ peers }) => peers)])]
  .filter((name) => versionOf(name) !== undefined)
  .map((name) => `${name} ${versionOf(name)}`)
const machine = `${versions.join(', ')}. ${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown kind'}.`
console.log(machine)
if (options.only === undefined && !options.quick) writeResults()

/** Runs every row that this Node can run, and gives their lines. */
function measure(section) {
  const measurements = new Map()
  const lines = []
  for (const row of rows) {
    if (row.mainNodeOnly && !section.main) continue
    if (row.needs !== undefined && !canLoad(row.needs)) {
      console.log(`${row.name} is left out: ${row.needs} is not built.`)
      continue
    }
    const libraries = ['narthex', ...row.peers].filter((library) => {
      return Number(section.version.split('.')[0]) >= (LIBRARIES[library]?.leastNode ?? 0)
    })
    const measured = new Map()
    for (const library of libraries) {
      const rounds = measurements.get(row.run)?.get(library)
      if (rounds !== undefined) measured.set(library, rounds)
    }
    // Two rows may read the same runs: only what is missing is run.
    const missing = libraries.filter((library) => !measured.has(library))
    if (missing.length > 0) {
      process.stderr.write(`${section.version} ${row.name} …\n`)
      for (const [library, rounds] of takeTurns(section, row, missing)) measured.set(library, rounds)
      measurements.set(row.run, measured)
    }
    const values = [...measured].map(([library, rounds]) => [library, rounds.map((round) => round[row.value])])
    const line = lineOf(row, new Map(values))
    if (line !== undefined) lines.push(line)
  }
  return lines
}

/** Every library once, then every library again, as many rounds as there are. */
function takeTurns(section, { run }, libraries) {
  const measured = new Map()
  const add = (library, answer) => {
    if (!measured.has(library)) measured.set(library, [])
    measured.get(library).push(answer)
  }
  const rounds = run.rounds ?? (options.quick ? 1 : 5)
  for (let round = 0; round < rounds; round++) {
    if (run.together !== undefined) {
      const first = round % run.together.length
      const variants = [...run.together.slice(first), ...run.together.slice(0, first)]
      const answers = answerOf(section, run, [...run.args(), ...variants])
      for (const library of libraries) add(library, answers[library])
      continue
    }
    for (const library of libraries) {
      if (library !== 'narthex' && round >= (run.peerRounds ?? rounds)) continue
      add(library, answerOf(section, run, run.args(library, LIBRARIES[library]?.package)))
    }
  }
  return measured
}

/** Runs a benchmark in a process of its own: its last line is its answer. */
function answerOf({ binary }, { file, flags = [] }, args) {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const output = execFileSync(binary, [...flags, path, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(output.trim().split('\n').at(-1))
}

function writeResults() {
  const text = `# Results

Written by \`npm run bench\`. ${machine}

How to read it: every figure is the median of several rounds, each in a process of its own, libraries in turn; ± is half
the distance between the quartiles. "Against the best" compares with the better peer of the same table, and is what
another machine should come to as well; the figures themselves belong to this one. A stall on a shared machine includes
what other programs took: \`idle\` in the answer of \`stall.mjs\` shows how much that is. CPU time of requests is that of a
server with a core for itself, on 16 connections that are kept alive and have one request at a time, against a bare one
by turns, each with a young generation of 16 MB; \`http.mjs\` says what such differences come from. What each row does is
in the file of its name.

${tables.join('\n\n')}
`
  writeFileSync(new URL('RESULTS.md', import.meta.url), text)
}

function canLoad(name) {
  try {
    return existsSync(createRequire(import.meta.url).resolve(name))
  } catch {
    return false
  }
}

/** `inc` names its row alone; `express` both rows of that framework; `hot-path` all rows of that file. */
function isPart(name, wanted) {
  const row = allRows.find((candidate) => candidate.name === name)
  return name === wanted || row.framework === wanted || row.run.file === `${wanted}.mjs`
}
