import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobMetrics } from './job-metrics.ts'

/** The work itself: a list of the checksums of all files in a folder. One file that cannot be read fails the run. */
export async function writeChecksums(folder: string, list: string, metrics: JobMetrics): Promise<void> {
  metrics.files.init({ outcome: 'read' })
  metrics.files.init({ outcome: 'failed' })
  const failed: string[] = []
  const lines: string[] = []
  for (const name of (await readdir(folder)).sort()) {
    try {
      const content = await readFile(join(folder, name))
      metrics.fileBytes.observe(content.length)
      metrics.files.inc({ outcome: 'read' })
      lines.push(`${createHash('sha256').update(content).digest('hex')}  ${name}\n`)
    } catch {
      metrics.files.inc({ outcome: 'failed' })
      failed.push(name)
    }
  }
  if (failed.length > 0) throw new Error(`could not read ${failed.join(', ')}`)
  await writeFile(list, lines.join(''))
}
