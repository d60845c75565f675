import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { FamilyDescription } from '../collector.ts'
import type { Aggregation, MetricFamily } from '../family.ts'
import { CounterMetricFamily, GaugeMetricFamily } from '../metric-families.ts'
import { ProcEntry } from './proc-entry.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

const FAMILIES: readonly FamilyDescription[] = [
  { name: 'process_cpu_seconds', type: 'counter' },
  { name: 'process_cpu_user_seconds', type: 'counter' },
  { name: 'process_cpu_system_seconds', type: 'counter' },
  { name: 'process_start_time_seconds', type: 'gauge' },
  { name: 'process_resident_memory_bytes', type: 'gauge' },
  { name: 'process_virtual_memory_bytes', type: 'gauge' },
  { name: 'process_virtual_memory_max_bytes', type: 'gauge' },
  { name: 'process_heap_bytes', type: 'gauge' },
  { name: 'process_threads', type: 'gauge' },
  { name: 'process_open_fds', type: 'gauge' },
  { name: 'process_max_fds', type: 'gauge' },
]

/**
 * The `process_*` metrics that every client library has (prometheus/docs, "Writing client libraries"). What a system
 * cannot tell is left out, never guessed: only Linux has `/proc`. Its file and folder are kept open, from the first page
 * to `stop`: a page then costs two system calls, some hundredths of a millisecond.
 */
export function processCollector(): RuntimeCollector {
  const linux = process.platform === 'linux' ? new LinuxProcess() : undefined
  return {
    name: 'process',
    scope: 'process',
    describe: () => FAMILIES,
    collect() {
      const { user, system } = process.cpuUsage()
      const everywhere = [
        counter('process_cpu_seconds', 'User and system CPU time spent, in seconds.', (user + system) / 1e6),
        counter('process_cpu_user_seconds', 'User CPU time spent, in seconds.', user / 1e6),
        counter('process_cpu_system_seconds', 'System CPU time spent, in seconds.', system / 1e6),
        gauge('process_start_time_seconds', 'Start of the process, in seconds since the epoch.', startTime(), 'min'),
      ]
      if (linux === undefined) return [...everywhere, residentMemory(process.memoryUsage.rss())]
      const status = linux.status()
      // After what opens one itself.
      const descriptors = linux.openFileDescriptors()
      if (typeof descriptors === 'number') return [...everywhere, ...linux.families(status, descriptors)]
      return descriptors.then((counted) => [...everywhere, ...linux.families(status, counted)])
    },
    stop: () => linux?.close(),
  }
}

function startTime(): number {
  return Math.round(performance.timeOrigin) / 1000
}

/** What `/proc/self` tells. */
class LinuxProcess {
  readonly #status = new ProcEntry('/proc/self/status')
  readonly #descriptors = new ProcEntry('/proc/self/fd')
  /** Read once: Node does not change its limits. */
  #limits: string | undefined

  close(): void {
    this.#status.close()
    this.#descriptors.close()
  }

  status(): string {
    return this.#status.text()
  }

  /** Linux 6.2 and newer tell the number as the folder's size; reading the folder of many is worth a thread. */
  openFileDescriptors(): number | Promise<number | undefined> {
    const size = this.#descriptors.size()
    // Reading the folder opens one more.
    return size > 0
      ? size
      : readdir('/proc/self/fd')
          .then(({ length }) => length - 1)
          .catch(() => undefined)
  }

  families(status: string, openFileDescriptors: number | undefined): MetricFamily[] {
    const limits = (this.#limits ??= limitsOfProcess())
    const resident = residentMemory(kibibytes(status, 'VmRSS') ?? process.memoryUsage.rss())
    const found: [name: string, help: string, value: number | undefined][] = [
      ['process_virtual_memory_bytes', 'Virtual memory size in bytes.', kibibytes(status, 'VmSize')],
      ['process_virtual_memory_max_bytes', 'Limit of virtual memory in bytes.', softLimit(limits, 'Max address space')],
      ['process_heap_bytes', 'Process heap size in bytes.', kibibytes(status, 'VmData')],
      ['process_threads', 'Operating system threads of the process.', numberAfter(status, '\nThreads:')],
      ['process_open_fds', 'Open file descriptors.', openFileDescriptors],
      ['process_max_fds', 'Limit of open file descriptors.', softLimit(limits, 'Max open files')],
    ]
    return [
      resident,
      ...found.flatMap(([name, help, value]) => (value === undefined ? [] : [gauge(name, help, value)])),
    ]
  }
}

function limitsOfProcess(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1')
  } catch {
    return ''
  }
}

function kibibytes(status: string, name: string): number | undefined {
  const value = numberAfter(status, `\n${name}:`)
  return value === undefined ? undefined : value * 1024
}

/** Without a limit there is no number to tell. */
function softLimit(limits: string, name: string): number | undefined {
  return numberAfter(limits, `\n${name} `)
}

function numberAfter(text: string, key: string): number | undefined {
  const at = text.indexOf(key)
  const value = at < 0 ? Number.NaN : Number.parseInt(text.slice(at + key.length, at + key.length + 32), 10)
  return Number.isNaN(value) ? undefined : value
}

function residentMemory(bytes: number): MetricFamily {
  return gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', bytes)
}

function counter(name: string, help: string, value: number): MetricFamily {
  return new CounterMetricFamily({ name, help, value })
}

function gauge(name: string, help: string, value: number, aggregation?: Aggregation): MetricFamily {
  return new GaugeMetricFamily({ name, help, value, ...(aggregation && { aggregation }) })
}
