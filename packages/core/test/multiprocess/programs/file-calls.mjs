// Preloaded: counts the calls that change a directory, or those that read it, and at one of them kills or stops the
// process. FILE_CALL is `<n>:<before|empty|half|after>:<signal>`; `empty` and `half` are of a file that is being written.
// `endAt` says it anew, for another directory.
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const CHANGING = ['mkdir', 'chmod', 'writeFile', 'rename', 'link', 'unlink', 'rm', 'utimes']
const READING = ['open', 'readdir', 'stat', 'lstat']
const kinds = process.env.FILE_CALLS === 'reading' ? [...CHANGING, ...READING] : CHANGING
const { writeFileSync } = fs

let at, moment, signal, folder
globalThis.endAt = (call, directory) => {
  ;[at, moment, signal] = call.split(':')
  folder = directory
  globalThis.fileCalls = []
}
globalThis.endAt(process.env.FILE_CALL, process.env.FILE_CALL_FOLDER)

const is = (call, when) => call === Number(at) && moment === when
const end = () => process.kill(process.pid, signal)

/** The number of the call, where it counts: Node itself reads files, too. */
function numberOf(kind, args) {
  if (!kinds.includes(kind) || !String(args[0]).startsWith(folder)) return 0
  return globalThis.fileCalls.push(kind)
}

function begin(call, kind, args) {
  if (is(call, 'before')) end()
  if (kind !== 'writeFile') return
  const [file, bytes, options] = args
  for (const [when, length] of [
    ['empty', 0],
    ['half', bytes.length / 2],
  ]) {
    if (!is(call, when)) continue
    writeFileSync(file, bytes.subarray(0, length), options)
    end()
  }
}

for (const kind of [...CHANGING, ...READING]) {
  const [sync, later] = [fs[`${kind}Sync`], promises[kind]]
  fs[`${kind}Sync`] = (...args) => {
    const call = numberOf(kind, args)
    begin(call, kind, args)
    try {
      return sync(...args)
    } finally {
      if (is(call, 'after')) end()
    }
  }
  promises[kind] = async (...args) => {
    const call = numberOf(kind, args)
    begin(call, kind, args)
    try {
      return await later(...args)
    } finally {
      if (is(call, 'after')) end()
    }
  }
}
syncBuiltinESMExports()
