import { defineConfig } from 'vitest/config'

/**
 * Tests read the sources: the condition `@narthex/source` of every package's exports, so nothing needs a build. Vitest
 * hands these on to Node's own `require`, which must not find `import` among them.
 */
const conditions = ['@narthex/source', 'node', 'default']

/** Tests that watch the clock or fill the machine: one after another, when all else is done. */
const alone = [
  'packages/core/test/collectors/*.test.ts',
  'packages/core/test/http/server-load.test.ts',
  'packages/core/test/multiprocess/{chaos,restarts}.test.ts',
]

/** Tests that mostly wait for programs they have started: three at a time, with nothing beside them that keeps both cores busy. */
const waiting = [
  'examples/bookshop/test/**/*.test.ts',
  'examples/monitoring/test/**/*.test.ts',
  'packages/core/test/multiprocess/{pm2,killed,same-program,automatic-directory}.test.ts',
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
          exclude: [...alone, ...waiting],
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
    ],
  },
})
