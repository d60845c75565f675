/**
 * Puts the JavaScript of @narthex/core into one file for each entry point and what they share. Resolving forty small
 * files is most of what importing them costs (`import` in benchmarks); `tsc -b` writes the types beside them.
 */
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { buildSync } from 'esbuild'
import { root } from './setup.mjs'

const folder = path.join(root, 'packages', 'core')
const { exports, bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
const entryPoints = [...Object.values(exports).map((target) => target['@narthex/source']), sourceOf(bin.narthex)]

rmSync(path.join(folder, 'dist', 'shared'), { recursive: true, force: true })
buildSync({
  absWorkingDir: folder,
  entryPoints: entryPoints.filter((entry) => entry !== undefined),
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'shared/[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  sourcesContent: false,
})

function sourceOf(file) {
  return file.replace(/^(\.\/)?dist\//, './src/').replace(/\.js$/, '.ts')
}
