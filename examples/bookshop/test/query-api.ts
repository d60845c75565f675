/** One series of an instant query's answer. */
export interface Value {
  readonly labels: { readonly [name: string]: string }
  readonly value: number
}

type Sample = readonly [time: number, value: string]

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data?: {
    readonly result: readonly {
      readonly metric: Value['labels']
      readonly value?: Sample
      readonly values?: readonly Sample[]
    }[]
  }
}

/** The HTTP API for queries, as Prometheus and all that took it over speak it. */
export class QueryApi {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** Evaluates an expression at a moment, in seconds since the epoch. Throws where the server refuses. */
  async query(expression: string, time: number = Date.now() / 1_000): Promise<readonly Value[]> {
    const result = await this.#resultOf(expression, time)
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value?.[1]) }))
  }

  /** The times of the samples of one series in the seconds before a moment. */
  async timesOf(selector: string, seconds: number, time: number): Promise<readonly number[]> {
    const [series] = await this.#resultOf(`${selector}[${seconds}s]`, time)
    // VictoriaMetrics shows the marks of scrapes that failed as well.
    const values = (series?.values ?? []).filter(([, value]) => !Number.isNaN(Number(value)))
    return values.map(([at]) => at)
  }

  async #resultOf(expression: string, time: number): Promise<NonNullable<Answer['data']>['result']> {
    // `nocache` is VictoriaMetrics' own: what was asked a moment ago must not be the answer now.
    const parameters = new URLSearchParams({ query: expression, time: time.toFixed(3), nocache: '1' })
    const response = await fetch(`${this.#url}/api/v1/query?${parameters}`, { signal: AbortSignal.timeout(30_000) })
    const answer = (await response.json()) as Answer
    if (answer.data === undefined) throw new Error(`${expression}: ${answer.error ?? response.status}`)
    return answer.data.result
  }

  /** The same for an expression with one value; NaN where it has none. */
  async queryOne(expression: string, time?: number): Promise<number> {
    const values = await this.query(expression, time)
    if (values.length > 1) throw new Error(`${expression}: ${values.length} values in place of one`)
    return values[0]?.value ?? NaN
  }
}
