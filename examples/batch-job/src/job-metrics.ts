import { Counter, Gauge, Histogram, Registry } from '@narthex/core'

/**
 * What every run of a job tells of itself. In a registry of its own: a gateway keeps what it is given, and the process
 * metrics of a job that ended hours ago would mislead.
 */
export class JobMetrics {
  readonly registry = new Registry()
  readonly lastSuccess = new Gauge({
    name: 'job_last_success_unixtime',
    help: 'Last time the job has succeeded, in seconds since the epoch',
    registry: null,
  })
  readonly lastRun = new Gauge({
    name: 'job_last_run_unixtime',
    help: 'Last time the job has ended, well or not, in seconds since the epoch',
    registry: this.registry,
  })
  readonly duration = new Gauge({
    name: 'job_duration_seconds',
    help: 'How long the last run took',
    registry: this.registry,
  })
  readonly succeeded = new Gauge({
    name: 'job_last_run_succeeded',
    help: 'Whether the last run has succeeded',
    registry: this.registry,
  })
  readonly files = new Counter({
    name: 'job_files',
    help: 'Files that the last run has read, by outcome',
    labelNames: ['outcome'],
    registry: this.registry,
  })
  readonly fileBytes = new Histogram({
    name: 'job_file_bytes',
    help: 'Size of the files that the last run has read',
    buckets: [1e3, 1e4, 1e5, 1e6, 1e7],
    registry: this.registry,
  })

  /**
   * Runs the job and notes when, how long and how it ended. Gives its error, if any: the numbers are to be pushed in both
   * cases.
   */
  async run(job: () => Promise<void>): Promise<unknown> {
    const end = this.duration.startTimer()
    try {
      await job()
      this.succeeded.set(1)
      // Registered only now: a failed run adds to its group, where the time of the last success then stays.
      this.registry.register(this.lastSuccess)
      this.lastSuccess.setToCurrentTime()
      return undefined
    } catch (error) {
      this.succeeded.set(0)
      return error ?? new Error('the job has failed')
    } finally {
      end()
      this.lastRun.setToCurrentTime()
    }
  }
}
