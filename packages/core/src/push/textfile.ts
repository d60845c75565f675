import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Gatherer } from '../collector.ts'
import { MetricError } from '../errors.ts'
import { textFormat } from '../exposition/text.ts'
import { defaultRegistry } from '../registry.ts'
import { pushablePage } from './pushable-page.ts'

const SUBJECT = 'writeToTextfile'
/** node_exporter runs as a user of its own, whatever the umask of the job. */
const READABLE_BY_ALL = 0o644

/**
 * Writes a registry's page to a file for node_exporter's textfile collector, as text 0.0.4, readable by all. The file is
 * replaced at once: whoever reads it sees the old page or the new one. Rejects where it cannot be written and leaves the
 * old page then; with `MetricError` for a series that has a timestamp, for which node_exporter would skip the file.
 */
export async function writeToTextfile(path: string, registry: Gatherer = defaultRegistry): Promise<void> {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject: SUBJECT, argument, rule, value })
  }
  if (typeof path !== 'string' || path === '') refuse('path', 'to be the path of a file', path)
  if (typeof registry?.gather !== 'function') refuse('registry', 'to be a Registry', registry)
  // In the same folder, or it could not be renamed; the collector reads *.prom, so a page under way is none for it.
  const temporary = join(dirname(path), `.narthex-${randomUUID()}.tmp`)
  try {
    await write(temporary, registry)
    await rename(temporary, path)
  } catch (error) {
    // Why the page was not written is told, not what befalls the leftovers.
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
}

async function write(path: string, registry: Gatherer): Promise<void> {
  const file = await open(path, 'wx', READABLE_BY_ALL)
  try {
    await file.chmod(READABLE_BY_ALL)
    for await (const chunk of pushablePage(registry, textFormat, { subject: SUBJECT })) await file.writeFile(chunk)
    // Else a crash of the machine could leave the new name with no page behind it.
    await file.sync()
  } finally {
    await file.close()
  }
}
