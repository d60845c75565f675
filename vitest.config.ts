import { defineConfig } from 'vitest/config'

/** Tests read the sources: the condition `@narthex/source` of every package's exports, so nothing needs a build. */
const conditions = ['@narthex/source', 'module', 'node', 'import', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 20_000,
    pool: 'threads',
  },
})
