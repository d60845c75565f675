import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { OwnFile } from '../../src/multiprocess/own-file.ts'
import { startOf, worldNow } from '../../src/multiprocess/participant.ts'
import { readDirectory } from '../../src/multiprocess/shared-directory.ts'
import { leaveLive, sharedDirectory, temporaryFolder } from './shared-folder.ts'

it('the last snapshot stands, wherever a write is that was under way', async () => {
  const folder = temporaryFolder()
  const before = Buffer.alloc(100_000, 'before')
  const last = Buffer.alloc(50_000, 'last')
  const lost: number[] = []
  const losses: string[] = []
  let unfinished = 0
  for (let run = 0; run < 400; run++) {
    const file = new OwnFile(folder, `${run}.snapshot`, (loss, why) => losses.push(`${loss}: ${why}`))
    let isWritten = false
    const written = file.write(before).then(() => (isWritten = true))
    for (let turns = run % 8; turns > 0; turns--) await nextTurn()
    if (!isWritten) unfinished += 1
    file.writeLast(() => last)
    await written
    if (!readFileSync(join(folder, `${run}.snapshot`)).equals(last)) lost.push(run)
  }
  expect(unfinished).toBeGreaterThan(50)
  expect({ lost, losses }).toEqual({ lost: [], losses: [] })
})

it('a file that was opened before its process had its last word is not taken for it', async () => {
  const directory = sharedDirectory()
  const child = spawn('sleep', ['60'])
  onTestFinished(() => void child.kill('SIGKILL'))
  const pid = child.pid as number
  const name = [worldNow(), pid, startOf(pid), 0, pid, startOf(pid), 0].join('.')
  const live = await leaveLive(directory, (registry) => registry.counter({ name: 'c', help: '' }).inc())
  const snapshot = readFileSync(live)
  // Whoever opens a named pipe waits for one who writes.
  const pipe = join(directory, `${name}.snapshot`)
  execFileSync('mkfifo', [pipe])
  const reading = readDirectory(directory, undefined, (loss) => expect.unreachable(loss))
  const handle = await open(pipe, 'w')
  child.kill('SIGKILL')
  await once(child, 'exit')
  await handle.writeFile(snapshot)
  await handle.close()
  const isGone = async (view: ReturnType<typeof readDirectory>): Promise<boolean | undefined> =>
    (await view).parts.find(({ participant }) => participant.name === name)?.isGone
  expect(await isGone(reading)).toBe(false)
  rmSync(pipe)
  writeFileSync(pipe, snapshot)
  expect(await isGone(readDirectory(directory, undefined, (loss) => expect.unreachable(loss)))).toBe(true)
})
