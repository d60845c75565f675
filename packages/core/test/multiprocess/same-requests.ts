import { parseText } from '@narthex/core/parse'
import { linesOf } from './shared-folder.ts'
import type { Place, Service } from './service.ts'

/** Requests whose numbers are exact in binary, so that no order of adding them makes a difference. */
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]

/** What a page shows of the requests. */
export interface Seen {
  /** `type name` of every family. */
  readonly families: string[]
  /** The lines that count requests. */
  readonly counted: Record<string, number>
}

/**
 * Sends the same requests to one process of a service after the other, every second of them to a thread of it, and reads
 * the page of each when it has them all; at once where processes do not know of each other.
 */
export async function seenAfterRequests(service: Service, places: readonly Place[], waits = true): Promise<Seen[]> {
  for (const [index, number] of NUMBERS.entries()) {
    const path = index % 2 === 0 ? '/' : '/thread'
    const { port } = places[index % places.length] as Place
    const { status } = await service.ask(port, `${path}?number=${number}`)
    if (status !== 200) throw new Error(`${path} was answered with ${status}`)
  }
  for (const start = performance.now(); ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const pages = await Promise.all(places.map(async ({ port }) => (await service.ask(port, '/metrics')).body))
    const seen = pages.map((page) => ({ families: familiesOn(page), counted: countedOn(page) }))
    // The numbers of the others are as old as their last snapshot.
    const isWhole = seen.every(({ counted }) => counted['sizes_count'] === NUMBERS.length)
    if (isWhole || !waits || performance.now() - start > 45_000) return seen
  }
}

function familiesOn(page: string): string[] {
  return parseText(page)
    .map(({ type, name }) => `${type} ${name}`)
    .sort()
}

function countedOn(page: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(linesOf(page)).filter(([name]) =>
      /^(requests|seconds|sizes|waits|open|build|state)(_|\{|$)/.test(name),
    ),
  )
}
