// Does a job on the directory that the program is given. Given none, it does it on each that a line of its input names,
// with the call at which it is to be held up: a process is killed only once, but held up as often as one likes.
import { createInterface } from 'node:readline'

export async function doJobs(job) {
  const [, , directory] = process.argv
  if (directory !== undefined) return run(job, directory)
  for await (const line of createInterface({ input: process.stdin })) {
    const { directory, call } = JSON.parse(line)
    globalThis.endAt(call, directory)
    await run(job, directory)
    console.log('done')
  }
}

async function run(job, directory) {
  await job(directory)
  console.log(`calls ${JSON.stringify(globalThis.fileCalls)}`)
}
