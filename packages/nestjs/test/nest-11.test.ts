import { useNest } from './nest-version.ts'

// Every feature once more, on that version.
await useNest(11)
for (const feature of [
  'module',
  'imports',
  'page',
  'http',
  'routes',
  'pipeline',
  'skip-metrics',
  'providers',
  'decorators',
  'decorated-scopes',
  'async-options',
  'microservices',
  'hybrid',
  'testing',
]) {
  await import(`./${feature}.test.ts`)
}
