/**
 * Puts the JavaScript of @narthex/core into one file for each entry point and what they share. Resolving forty small
 * files is most of what importing them costs (`import` in benchmarks); `tsc -b` writes the types beside them.
 */
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'
import { root } from './setup.mjs'

const folder = path.join(root, 'packages', 'core')
const { exports, bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
const sources = [...Object.values(exports).map((target) => target['@narthex/source']), sourceOf(bin.narthex)]
/** The main one is first. */
const entryPoints = sources.filter((entry) => entry !== undefined)

/**
 * `narthex dashboard` has Grafana's builders in it, so that the package needs no other. They are CommonJS, which cannot be
 * shaken: what the dashboards of today do not use is left out by name. Its licences are in THIRD-PARTY.md.
 */
const onlyUsedBuilders = {
  name: 'only-used-builders',
  setup({ onResolve, onLoad }) {
    const unused = /(^|\/)(visualization\w*Builder\.gen|queryV2Builder\.gen|dashboardv2\w*|resource)$/
    onResolve({ filter: unused }, ({ path: wanted, importer }) =>
      importer.includes('grafana-foundation-sdk') ? { path: wanted, namespace: 'unused' } : undefined,
    )
    onLoad({ filter: /./, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/**
 * What entry points share becomes a file for each set of them that shares it: ten files for the main one. So each of the
 * others asks for all of the main one, which whoever uses it loads anyhow, and three are left: half of the time that
 * importing takes (`import` in benchmarks). Parsers are of use alone, and load what they need.
 */
const mainInOnePiece = {
  name: 'main-in-one-piece',
  setup({ onLoad }) {
    const [main, ...others] = [...entryPoints, './src/cli/dashboard/dashboard.ts'].map((file) =>
      path.join(folder, file),
    )
    const alone = path.join(folder, 'src', 'parse', 'index.ts')
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      if (!others.includes(file) || file === alone) return undefined
      return { contents: `${readFileSync(file, 'utf8')}\nimport ${JSON.stringify(main)}\n`, loader: 'ts' }
    })
  },
}

rmSync(path.join(folder, 'dist', 'shared'), { recursive: true, force: true })
await build({
  absWorkingDir: folder,
  entryPoints,
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
  plugins: [onlyUsedBuilders, mainInOnePiece],
})

function sourceOf(file) {
  return file.replace(/^(\.\/)?dist\//, './src/').replace(/\.js$/, '.ts')
}
