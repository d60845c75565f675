import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Gatherer } from '../collector.ts'
import { encodeStream } from '../exposition/encode.ts'
import { textFormat } from '../exposition/text.ts'
import { defaultRegistry } from '../registry.ts'

/**
 * Writes a registry's page to a file for node_exporter's textfile collector, as text 0.0.4. The file is replaced at once:
 * whoever reads it sees the old page or the new one. Rejects where it cannot be written, and leaves the old page then.
 */
export async function writeToTextfile(path: string, registry: Gatherer = defaultRegistry): Promise<void> {
  // The collector reads *.prom: a page under way must not look like one.
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      for await (const chunk of encodeStream(registry.gather({ escaping: 'underscores' }), textFormat)) {
        await file.write(chunk)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
