const PEERS = ['prom-client', '@prometheus-io/client']

const FRAMEWORKS = {
  express: 'Express',
  koa: 'Koa',
  fastify: 'Fastify',
  'nestjs-express': 'NestJS on Express',
  'nestjs-fastify': 'NestJS on Fastify',
}

/**
 * What is measured, and what it should come to. `files` are run in processes of their own; `value` is what a row reads
 * of the answer. A goal is `times` (so many times better than the best peer), `share` (at most that part of the best
 * peer's), or `limit` (a figure that stands without a peer).
 */
export function rowsFor({ quick }) {
  const milliseconds = quick ? '150' : '500'
  const stalled = quick ? '20000' : '100000'
  const hotPath = (work) => ({ file: 'hot-path.mjs', args: (library) => [library, work, milliseconds] })
  const memory = (pattern) => ({
    file: 'memory.mjs',
    flags: ['--expose-gc'],
    args: (library) => [library, pattern, '20000'],
  })
  const stall = (...encoding) => ({
    file: 'stall.mjs',
    args: (library) => [library, stalled, ...encoding],
    rounds: quick ? 1 : 3,
    peerRounds: quick ? 0 : 1,
  })
  const formats = (format, work) => ({
    file: 'formats.mjs',
    args: (library) => [library === 'narthex' ? format : library, work, milliseconds],
    rounds: quick ? 1 : 3,
  })
  const runtime = {
    file: 'runtime-metrics.mjs',
    args: (library) => [library, quick ? '1500' : '5000'],
    rounds: quick ? 1 : 3,
  }
  const processes = {
    file: 'multiprocess.mjs',
    flags: ['--expose-gc'],
    args: (library) => [library, '8', quick ? '500' : '5000'],
    rounds: quick ? 1 : 3,
    peerRounds: 1,
  }
  // Two rows of the same runs: what is added, against the best peer, and as a share of the bare framework.
  const http = (framework, limit, ...peers) => {
    const together = ['bare', 'narthex', ...peers]
    const row = {
      framework,
      // Each is the first as often as the others.
      run: {
        file: 'http.mjs',
        together,
        args: () => [framework],
        rounds: quick ? 1 : together.length * (together.length > 3 ? 1 : 2),
      },
      peers,
      needs: `@narthex/${framework.split('-')[0]}`,
      // One Node says it; the peers are the same on the other.
      mainNodeOnly: true,
    }
    const work = `CPU time added to a request, ${FRAMEWORKS[framework]}`
    const goals = [
      { name: framework, work, value: 'addedMicroseconds', unit: 'µs', goal: { share: 1 / 4 } },
      {
        name: `${framework}-bare`,
        work: `${work}, of the bare framework's`,
        value: 'addedPercent',
        unit: '%',
        goal: { limit },
      },
    ]
    return goals.map((goal) => ({ ...row, ...goal }))
  }
  const plain = stall()
  const gzip = { ...stall('gzip'), peerRounds: 0 }
  const inc = hotPath('inc')
  return [
    { name: 'inc', work: '`inc()` on a held child', run: inc, value: 'nanoseconds', unit: 'ns', goal: { times: 50 } },
    {
      name: 'inc-floor',
      work: '`inc()` on a held child, against `object.x += 1`',
      run: inc,
      peers: ['object'],
      value: 'nanoseconds',
      unit: 'ns',
      goal: { share: 3 },
    },
    {
      name: 'inc-labels',
      work: '`inc({ three labels })`, 64 label sets in turn',
      run: hotPath('inc-labels'),
      value: 'nanoseconds',
      unit: 'ns',
      goal: { times: 8 },
    },
    {
      name: 'observe',
      work: '`observe(v)` on a held child, 11 buckets',
      run: hotPath('observe'),
      value: 'nanoseconds',
      unit: 'ns',
      goal: { times: 40 },
    },
    {
      name: 'observe-labels',
      work: '`observe({ three labels }, v)`, 64 label sets in turn',
      run: hotPath('observe-labels'),
      value: 'nanoseconds',
      unit: 'ns',
      goal: { times: 8 },
    },
    {
      name: 'scrape',
      work: 'a scrape of 10,000 histogram series, text, to bytes',
      run: { file: 'scrape.mjs', args: (library) => [library, '10000', quick ? '500' : '1500'] },
      value: 'megabytesPerSecond',
      unit: 'MB/s',
      more: true,
      goal: { times: 12 },
    },
    {
      name: 'stall',
      work: `longest stall of the event loop in a scrape of ${thousands(stalled)} histogram series over HTTP`,
      run: plain,
      value: 'stallMilliseconds',
      unit: 'ms',
      goal: { limit: 10 },
    },
    {
      name: 'stall-memory',
      work: 'memory held in addition during that scrape (peak of the resident set)',
      run: plain,
      value: 'megabytes',
      unit: 'MB',
      goal: { limit: 16 },
    },
    {
      name: 'stall-gzip',
      work: 'longest stall in the same scrape with `Accept-Encoding: gzip`, as Prometheus sends it',
      run: gzip,
      value: 'stallMilliseconds',
      unit: 'ms',
      goal: { limit: 10 },
    },
    {
      name: 'stall-gzip-memory',
      work: 'memory held in addition during that scrape',
      run: gzip,
      value: 'megabytes',
      unit: 'MB',
      goal: { limit: 16 },
    },
    {
      name: 'memory-crossed',
      work: 'a histogram series at rest, method × route × code',
      run: memory('crossed'),
      value: 'bytes',
      unit: 'B',
      goal: { share: 1 / 2 },
    },
    {
      name: 'memory-unique',
      work: 'a histogram series at rest, first label unique',
      run: memory('unique'),
      value: 'bytes',
      unit: 'B',
      goal: { share: 1 / 2 },
    },
    {
      name: 'import',
      work: 'importing the library',
      run: { file: 'import.mjs', args: (_library, specifier) => [specifier], rounds: quick ? 7 : 25 },
      value: 'milliseconds',
      unit: 'ms',
      goal: { share: 1 / 3 },
    },
    {
      name: 'encode-openmetrics',
      work: 'writing OpenMetrics, against our text',
      run: formats('openmetrics', 'encode'),
      peers: ['text'],
      value: 'megabytesPerSecond',
      unit: 'MB/s',
      more: true,
      goal: { times: 0.9 },
    },
    {
      name: 'encode-protobuf',
      work: 'writing protobuf, a series, against our text',
      run: formats('protobuf', 'encode'),
      peers: ['text'],
      value: 'nanosecondsPerSeries',
      unit: 'ns',
      goal: { share: 1 },
    },
    ...['text', 'openmetrics', 'protobuf'].map((format) => ({
      name: `parse-${format}`,
      work: `reading ${format === 'openmetrics' ? 'OpenMetrics, strictly' : format}`,
      run: formats(format, 'parse'),
      peers: ['parse-prometheus-text-format'],
      value: 'megabytesPerSecond',
      unit: 'MB/s',
      more: true,
      goal: { times: format === 'protobuf' ? 1 : 5 },
    })),
    {
      name: 'observe-native',
      work: '`observe(v)` on a held child with a native histogram, against classic buckets',
      run: hotPath('observe-native'),
      peers: ['classic'],
      value: 'nanoseconds',
      unit: 'ns',
      goal: { share: 3 },
    },
    {
      name: 'runtime-resting',
      work: 'default metrics at rest, of a core',
      run: runtime,
      peers: ['prom-client'],
      value: 'restingPercent',
      unit: '%',
      goal: { limit: 0.1 },
    },
    {
      name: 'runtime-scrape',
      work: 'event-loop time of a scrape of default metrics',
      run: runtime,
      peers: ['prom-client'],
      value: 'scrapeMilliseconds',
      unit: 'ms',
      goal: { limit: 1 },
    },
    {
      name: 'multiprocess-inc',
      work: '`inc()` on a held child with other processes, against without',
      run: hotPath('inc-multiprocess'),
      peers: ['single'],
      value: 'nanoseconds',
      unit: 'ns',
      goal: { share: 1.05 },
    },
    {
      name: 'multiprocess-flush',
      work: "event-loop time of a worker's snapshot of 5,000 histogram series, a second",
      run: processes,
      peers: [],
      value: 'flushMilliseconds',
      unit: 'ms',
      goal: { limit: 5 },
    },
    {
      name: 'multiprocess-scrape',
      work: 'a scrape over a cluster of 8 workers with 5,000 histogram series each',
      run: processes,
      peers: ['prom-client'],
      value: 'scrapeMilliseconds',
      unit: 'ms',
      goal: { share: 1 / 10 },
    },
    {
      name: 'multiprocess-stall',
      work: 'longest stall of the event loop in that scrape',
      run: processes,
      peers: ['prom-client'],
      value: 'stallMilliseconds',
      unit: 'ms',
      goal: { limit: 10 },
    },
    ...http('express', 3, 'express-prom-bundle', '@promster/express'),
    ...http('koa', 3, 'prom-client by hand'),
    ...http('fastify', 5, 'fastify-metrics', '@promster/fastify'),
    ...http('nestjs-express', 3, 'prom-client by hand'),
    ...http('nestjs-fastify', 5, 'prom-client by hand'),
  ].map((row) => ({ peers: PEERS, ...row }))
}

function thousands(count) {
  return Number(count).toLocaleString('en-US')
}
