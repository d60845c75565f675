import { defineConfig } from 'vitest/config'

/**
 * Tests read the sources: the condition `@narthex/source` of every package's exports, so nothing needs a build. Vitest
 * hands these on to Node's own `require`, which must not find `import` among them.
 */
const conditions = ['@narthex/source', 'node', 'default']

/** Tests of adapters that are to have all modules to themselves. */
const apart = [
  // Peers keep their metrics in the one registry of prom-client.
  'migrating|migrating-options|promster|fastify-metrics',
  // A directory is made known to the whole process.
  'multiprocess',
]

/**
 * Tests that leave nothing behind in a thread: what they import is loaded once for all files that run there, where it
 * takes longer than most of them otherwise. Those of requests in core and on Express have theirs to themselves: the first
 * request in a copy of Node's or Express' modules is not like the others. So have Nest's: what one application logs late
 * would be heard in the next file.
 */
const sharing = [
  'packages/core/test/{exposition,exporter,metrics,parse,push,testing}/*.test.ts',
  'packages/core/test/{errors,family,labels,metric-families,names,timer}.test.ts',
  `packages/{fastify,koa,remote-write}/test/!(${apart.join('|')}).test.ts`,
]

/** Tests that watch the clock or fill the machine: one after another, when all else is done. */
const alone = [
  'packages/core/test/collectors/*.test.ts',
  'packages/core/test/http/server-load.test.ts',
  'packages/core/test/multiprocess/restarts.test.ts',
]

/** Tests whose programs live and die for the better part of a minute: `npm run test:long`, and `.ci/run`. */
const long = ['packages/core/test/multiprocess/{chaos,pm2}.test.ts']

/** Tests that mostly wait for programs they have started: three at a time, with nothing beside them that keeps both cores busy. */
const waiting = [
  'examples/bookshop/test/**/*.test.ts',
  'examples/monitoring/test/**/*.test.ts',
  'packages/core/test/multiprocess/{killed,same-program,automatic-directory}.test.ts',
  'test/**/*.test.ts',
]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@narthex/source', 'node'] } },
  test: {
    // For what hangs: a machine that is busy with other things takes several times as long as one that is not.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 45_000 } },
    pool: 'threads',
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
          exclude: [...alone, ...waiting, ...long, ...sharing],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'sharing',
          include: sharing,
          exclude: alone,
          isolate: false,
          setupFiles: 'test/leaves-nothing.ts',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'waiting', include: waiting, maxWorkers: 3, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
      {
        extends: true,
        test: { name: 'long', include: long, maxWorkers: 1, sequence: { groupOrder: 3 } },
      },
    ],
  },
})
