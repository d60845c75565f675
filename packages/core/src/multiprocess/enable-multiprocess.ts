import path from 'node:path'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { defaultRegistry, type Registry } from '../registry.ts'
import { chooseDirectory } from './directory.ts'
import { isMultiprocess, Multiprocess } from './multiprocess.ts'

export interface MultiprocessOptions {
  /**
   * The directory that all processes share: made if it is missing, for this user alone. Numbers outlive restarts of the
   * program in a directory that does.
   * @default what NARTHEX_MULTIPROCESS_DIR says, else one in memory that goes with the program
   */
  readonly directory?: string
  /** @default defaultRegistry */
  readonly registry?: Registry
  /**
   * Milliseconds between two snapshots: as much as a killed process can lose, and as old as another's numbers can be.
   * @default 1_000
   */
  readonly flushInterval?: number
}

const OPTIONS = ['directory', 'registry', 'flushInterval'] as const
const SUBJECT = 'enableMultiprocess'

/**
 * Makes the pages of all processes and threads of a program one: call it in the program that each of them runs. From then
 * on the registry's page, whoever serves it, is that of all of them, from whichever process is asked. Works for
 * `node:cluster`, `child_process.fork`, PM2, worker threads, and processes that are given the same directory.
 *
 * Each thread writes a snapshot of its registry into a file of its own, every second and at its end; whoever is scraped
 * writes its own, reads all, and merges. Nobody waits for anybody. What a process has counted stays in the sum when it is
 * gone. Costs an observation nothing; a snapshot of 5,000 histogram series costs some milliseconds, in turns.
 *
 * Called again for the same registry it gives what is there. Throws `MetricError` for options that are wrong, or other
 * ones than the first time; a directory that cannot be used is warned of and counted, and leaves the process by itself.
 */
export function enableMultiprocess(options: MultiprocessOptions = {}): Multiprocess {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) return refuse('options', 'to be an object', options)
  refuseUnknownOptions(SUBJECT, undefined, options, OPTIONS)
  const { directory, registry = defaultRegistry, flushInterval = 1_000 } = options
  if (typeof registry?.showThrough !== 'function') refuse('registry', 'to be a Registry', registry)
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    refuse('directory', 'to be the path of a directory', directory)
  }
  if (typeof flushInterval !== 'number' || !(flushInterval >= 10 && flushInterval <= 60_000)) {
    refuse('flushInterval', 'to be a number of milliseconds from 10 to 60000', flushInterval)
  }
  const existing = registry.view
  if (isMultiprocess(existing)) {
    if (directory !== undefined && path.resolve(directory) !== existing.directory) {
      refuse('directory', `to be the one that the registry uses already, \`${existing.directory}\``, directory)
    }
    return existing
  }
  const chosen = chooseDirectory(directory)
  if (Multiprocess.isInUse(chosen.path)) {
    refuse('directory', 'to be used by one registry of a process', chosen.path)
  }
  return new Multiprocess(registry, chosen, flushInterval)
}
