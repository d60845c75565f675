import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../../../../test/until.ts'
import { hasLive } from '../../src/multiprocess/directory.ts'
import { currentParticipant, worldNow } from '../../src/multiprocess/participant.ts'
import { bundled } from '../push/built-program.ts'
import { kill, Service } from './service.ts'
import { enabled, leaveDead, leaveLive, sharedDirectory, temporaryFolder } from './shared-folder.ts'

/** Directories that were chosen for a process and those that it has started. */
function directoriesOf(pid: number): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('narthex-') && name.split('-')[4] === String(pid))
}

/** Starts a service in several processes, ends the first one, and waits for the others. */
async function runToItsEnd(mode: string, signal: NodeJS.Signals): Promise<number> {
  const service = new Service(temporaryFolder())
  const running = service.start(mode, 2)
  onTestFinished(() => running.stop())
  const places = await service.placesOnce(2)
  for (const { port } of places) await service.ask(port, '/metrics')
  expect(directoriesOf(running.pid)).toHaveLength(1)
  kill(running.pid, signal)
  await until('all processes have ended', () => service.places().length === 0)
  return running.pid
}

it('an automatic directory goes with the process that it is named after', async () => {
  expect(directoriesOf(await runToItsEnd('threads', 'SIGTERM'))).toEqual([])
})

it('what is left of one goes when the next program starts, at the latest', async () => {
  const ended = await Promise.all([
    runToItsEnd('cluster', 'SIGTERM'),
    runToItsEnd('cluster', 'SIGKILL'),
    runToItsEnd('workers', 'SIGTERM'),
    runToItsEnd('threads', 'SIGKILL'),
  ])
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'idle'))
  const program = bundled(new URL('programs/idle.mjs', import.meta.url), join(folder, 'idle'))
  spawnSync(process.execPath, [program], { env: { ...process.env, NARTHEX_MULTIPROCESS_DIR: '' }, timeout: 60_000 })
  expect(ended.flatMap(directoriesOf)).toEqual([])
}, 180_000)

it('one is in use while a process runs there that has not had its last word', async () => {
  const [directory, self] = [sharedDirectory(), currentParticipant()]
  const { shared } = enabled(directory)
  await shared.flush()
  await leaveDead(directory, 1, () => {})
  expect(hasLive(directory, worldNow())).toBe(true)
  expect(hasLive(directory, worldNow(), self)).toBe(false)
  await shared.stop()
  expect(hasLive(directory, worldNow())).toBe(false)
  await leaveLive(directory, () => {})
  expect(hasLive(directory, worldNow(), self)).toBe(true)
})
