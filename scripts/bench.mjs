/** `npm run bench`: installs, builds and compares with the peers; options follow `--`. */
import path from 'node:path'
import { root, run, setUp } from './setup.mjs'

setUp()
process.exitCode = run(process.execPath, [path.join(root, 'benchmarks', 'run.mjs')].concat(process.argv.slice(2)))
