import { defineConfig } from 'vitest/config'

/**
 * Tests read the sources: the condition `@narthex/source` of every package's exports, so nothing needs a build. Vitest
 * hands these on to Node's own `require`, which must not find `import` among them.
 */
const conditions = ['@narthex/source', 'node', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@narthex/source', 'node'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 20_000,
    pool: 'threads',
  },
})
