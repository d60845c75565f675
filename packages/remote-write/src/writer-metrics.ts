import { Counter, Gauge, Registry } from '@narthex/core'

/** Why samples never arrive. */
export type DropReason = 'queue_full' | 'refused' | 'closed' | 'unwritable'

/** What a writer tells of itself, in a registry of its own: two writers do not clash. */
export class WriterMetrics {
  readonly registry = new Registry()
  readonly samples = new Counter({
    name: 'narthex_remote_write_samples_total',
    help: 'Samples that the server has taken.',
    registry: this.registry,
  })
  readonly bytes = new Counter({
    name: 'narthex_remote_write_bytes_total',
    help: 'Bytes of the requests that the server has taken, before compression.',
    registry: this.registry,
  })
  readonly retries = new Counter({
    name: 'narthex_remote_write_retries_total',
    help: 'Requests that have to be sent again.',
    registry: this.registry,
  })
  readonly lastSuccess = new Gauge({
    name: 'narthex_remote_write_last_success_timestamp_seconds',
    help: 'When the server took samples for the last time, 0 before the first.',
    registry: this.registry,
  })
  readonly #dropped = new Counter({
    name: 'narthex_remote_write_dropped_samples_total',
    help: 'Samples that were given up, by reason.',
    labelNames: ['reason'],
    registry: this.registry,
  })

  readonly #capacity = new Gauge({
    name: 'narthex_remote_write_queue_capacity_samples',
    help: 'Samples that may wait before the oldest are dropped.',
    registry: this.registry,
  })
  readonly queue: Gauge

  /** `queueLength` and `capacity` are in samples. */
  constructor(queueLength: () => number, capacity: number) {
    this.queue = new Gauge({
      name: 'narthex_remote_write_queue_samples',
      help: 'Samples that wait for the server.',
      registry: this.registry,
      collect: (queue) => queue.set(queueLength()),
    })
    this.#capacity.set(capacity)
    for (const reason of ['queue_full', 'refused', 'closed', 'unwritable'] as const) this.dropped(0, reason)
  }

  dropped(samples: number, reason: DropReason): void {
    this.#dropped.inc({ reason }, samples)
  }
}
