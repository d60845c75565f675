import { useNest } from './nest-version.ts'

// Every feature once more, on that version.
await useNest(11)
for (const feature of [
  'module',
  'imports',
  'page',
  'http',
  'routes',
  'skip-metrics',
  'providers',
  'decorators',
  'microservices',
  'testing',
]) {
  await import(`./${feature}.test.ts`)
}
