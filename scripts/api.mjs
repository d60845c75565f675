/**
 * Writes the reports of the public API, `etc/<entry point>.api.md`, from the built types: a review sees there what a
 * change does to users. With `--check` nothing is written, and a report that differs is an error.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'
import { entryPoints, publishedPackages } from './packages.mjs'
import { root } from './setup.mjs'

const check = process.argv.includes('--check')
const reportFolder = path.join(root, 'etc')
const written = new Set()
let differing = 0

mkdirSync(reportFolder, { recursive: true })
for (const published of publishedPackages()) {
  for (const entryPoint of entryPoints(published)) report(published, entryPoint)
}
for (const file of readdirSync(reportFolder)) {
  if (written.has(file) || !file.endsWith('.api.md')) continue
  if (check) differs(file, 'has no entry point any more')
  else rmSync(path.join(reportFolder, file))
}
if (differing > 0) {
  console.error('Run `npm run api` and commit what it writes.')
  process.exitCode = 1
}

function report({ folder }, { specifier, types }) {
  const file = `${specifier.replace('@narthex/', '').replaceAll('/', '-')}.api.md`
  written.add(file)
  if (!existsSync(types)) return differs(file, `cannot be made: ${path.relative(root, types)} is not built`)
  const config = ExtractorConfig.prepare({
    configObjectFullPath: path.join(folder, 'api-extractor.json'),
    packageJsonFullPath: path.join(folder, 'package.json'),
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: types,
      newlineKind: 'lf',
      compiler: { overrideTsconfig: compilerOptions(), skipLibCheck: true },
      apiReport: { enabled: true, reportFileName: file, reportFolder, reportTempFolder: path.join(folder, 'temp') },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        // Release tags are not used here, and TSDoc's own grammar is stricter than what editors show.
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
          'ae-missing-release-tag': { logLevel: ExtractorLogLevel.None },
          'ae-undocumented': { logLevel: ExtractorLogLevel.None },
          'ae-unresolved-link': { logLevel: ExtractorLogLevel.None },
        },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  })
  const { apiReportChanged, errorCount } = Extractor.invoke(config, {
    localBuild: !check,
    messageCallback(message) {
      // The analyser's own compiler is older than ours; that it says so once a run helps nobody.
      if (message.messageId.startsWith('console-')) message.handled = true
    },
  })
  if (errorCount > 0) differs(file, 'cannot be made')
  else if (apiReportChanged && check) {
    differs(file, 'is not what the types say')
    showDifference(path.join(reportFolder, file), path.join(folder, 'temp', file))
  } else console.log(`etc/${file}${apiReportChanged ? ' written' : ''}`)
}

/** What of tsconfig.base.json the analyser's compiler knows; the types are already built, so little of it matters. */
function compilerOptions() {
  return {
    compilerOptions: {
      target: 'ES2022',
      lib: ['ES2022', 'ESNext.Disposable', 'ESNext.Decorators', 'DOM', 'DOM.Iterable'],
      module: 'NodeNext',
      moduleResolution: 'NodeNext',
      types: ['node'],
      strict: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      noEmit: true,
    },
    include: ['dist'],
  }
}

function differs(file, reason) {
  differing += 1
  console.error(`etc/${file} ${reason}.`)
}

function showDifference(committed, made) {
  if (!existsSync(committed)) return
  const [before, now] = [committed, made].map((file) => readFileSync(file, 'utf8').split('\n'))
  for (const line of before) if (!now.includes(line)) console.error(`- ${line}`)
  for (const line of now) if (!before.includes(line)) console.error(`+ ${line}`)
}
