import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs an example as its README says, to its end. `npm test` has built it. */
export async function runExample(
  name: string,
  env: { readonly [name: string]: string },
  args: readonly string[] = [],
): Promise<string> {
  const main = fileURLToPath(new URL(`../examples/${name}/dist/main.js`, import.meta.url))
  const { stdout } = await run(process.execPath, [main, ...args], { env: { ...process.env, ...env }, timeout: 55_000 })
  return stdout
}
