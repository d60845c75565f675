import type { MetricFamily } from '../../src/family.ts'
import { mergeParts, type Part } from '../../src/multiprocess/merge.ts'
import { OwnSnapshots } from '../../src/multiprocess/own-snapshot.ts'
import { Snapshot } from '../../src/multiprocess/snapshot.ts'
import { SnapshotWriter } from '../../src/multiprocess/snapshot-writer.ts'
import { Turn } from '../../src/multiprocess/turn.ts'
import type { Registry } from '../../src/registry.ts'

/** A registry as another process would find it in its file. */
export async function partOf(registry: Registry, pid: number, more: Partial<Part> = {}): Promise<Part> {
  const bytes = await new OwnSnapshots(registry, 1000).take(1000)
  return { snapshot: new Snapshot(bytes), process: `p${pid}`, pid: String(pid), started: pid, isLive: true, ...more }
}

/** What a page over all of these parts shows. */
export async function mergedFamilies(
  parts: readonly Part[],
  onLoss: (loss: string) => void = () => {},
): Promise<MetricFamily[]> {
  const families: MetricFamily[] = []
  for await (const merged of mergeParts(parts, { turn: new Turn(), onLoss })) families.push(merged.toFamily())
  return families
}

/** Several parts as one, which another merge can take in. `absorbing` is what the archive does with threads that have ended. */
export async function joined(parts: readonly Part[], absorbing = false): Promise<Part> {
  const writer = new SnapshotWriter()
  const turn = new Turn()
  for await (const merged of mergeParts(parts, { turn, onLoss: () => {}, absorbing }))
    await merged.writeTo(writer, turn)
  const at = Math.max(0, ...parts.map(({ snapshot }) => snapshot.head.at))
  const started = Math.max(-1, ...parts.map((part) => part.started))
  return { snapshot: new Snapshot(writer.end({ at, interval: 0 })), started, isLive: !absorbing }
}
