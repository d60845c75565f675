/** `npm start`: installs, builds and runs the bookshop; its options follow `--`, such as `npm start -- --seconds 10`. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { spawn } from 'node:child_process'
import { fail, root, setUp } from './setup.mjs'

setUp()
const shop = path.join(root, 'examples', 'bookshop', 'dist', 'main.js')
if (!existsSync(shop)) fail('examples/bookshop has no built main.js.')

const child = spawn(process.execPath, [shop].concat(process.argv.slice(2)), { cwd: root, stdio: 'inherit' })
// Ctrl+C reaches the shop through the terminal; a signal sent to this process alone is passed on.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => {
  process.exitCode = code === null ? (signal === 'SIGINT' ? 130 : 143) : code
})
