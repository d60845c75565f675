/** The packages that are published, as their package.json describes them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './setup.mjs'

/** Name, folder and manifest of every package under `packages` that has sources and is not private. */
export function publishedPackages() {
  return readdirSync(path.join(root, 'packages'))
    .map((name) => path.join(root, 'packages', name))
    .filter((folder) => existsSync(path.join(folder, 'src', 'index.ts')))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest }))
}

/** The entry points of a package that have types: `@narthex/core/http` and the file of its types. */
export function entryPoints({ name, folder, manifest }) {
  return Object.entries(manifest.exports)
    .filter(([, target]) => target.types !== undefined)
    .map(([subpath, target]) => ({ specifier: path.posix.join(name, subpath), types: path.join(folder, target.types) }))
}
