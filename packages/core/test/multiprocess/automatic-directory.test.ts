import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { kill, Service } from './service.ts'
import { temporaryFolder } from './shared-folder.ts'

/** Directories that were chosen for a process and those that it has started. */
function directoriesOf(pid: number): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('narthex-') && name.split('-')[4] === String(pid))
}

it.each([
  ['cluster', 'SIGTERM'],
  ['cluster', 'SIGKILL'],
  ['workers', 'SIGTERM'],
  ['threads', 'SIGTERM'],
] as const)('the directory of %s goes with the last of its processes after a %s', async (mode, signal) => {
  const service = new Service(temporaryFolder())
  const running = service.start(mode, 2)
  onTestFinished(() => running.stop())
  const places = await service.placesOnce(2)
  for (const { port } of places) await service.ask(port, '/metrics')
  expect(directoriesOf(running.pid)).toHaveLength(1)
  kill(running.pid, signal)
  for (const start = performance.now(); performance.now() - start < 8000 && service.places().length > 0;)
    await sleep(20)
  for (const start = performance.now(); performance.now() - start < 3000 && directoriesOf(running.pid).length > 0;) {
    await sleep(20)
  }
  expect(directoriesOf(running.pid)).toEqual([])
})
