import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** File, what it imports, and a part of the reason that the linter gives. */
const refused: [file: string, specifier: string, reason: string][] = [
  ['packages/core/src/errors.ts', './names.ts', 'imports nothing'],
  ['packages/core/src/labels.ts', './collector.ts', 'only those before it'],
  ['packages/core/src/collector.ts', './registry.ts', 'Below the registry nothing knows it'],
  ['packages/core/src/collector.ts', './metrics/gauge.ts', 'The model stands below'],
  ['packages/core/src/family.ts', './exposition/text.ts', 'only those before it'],
  ['packages/core/src/timer.ts', 'node:perf_hooks', 'no runtime dependency'],
  ['packages/core/src/timer.ts', 'lodash', 'no runtime dependency'],
  ['packages/core/src/registry.ts', './http/handler.ts', 'The registry gathers'],
  ['packages/core/src/registry.ts', './parse/text.ts', 'The registry gathers'],
  ['packages/core/src/registry.ts', './index.ts', 'entry point'],
  ['packages/core/src/opentelemetry.ts', './http/handler.ts', 'A source of exemplars'],
  ['packages/core/src/opentelemetry.ts', '@opentelemetry/api', 'no runtime dependency'],
  ['packages/core/src/index.ts', './push/pushgateway.ts', 'stays small'],
  ['packages/core/src/metrics/gauge.ts', '../registry.ts', 'does not know the registry'],
  ['packages/core/src/metrics/gauge.ts', './counter.ts', 'do not know each other'],
  ['packages/core/src/metrics/gauge.ts', '../exposition/text.ts', 'never sees text'],
  ['packages/core/src/metrics/gauge.ts', 'fs', 'no runtime dependency'],
  ['packages/core/src/exposition/text.ts', '../registry.ts', 'A codec sees'],
  ['packages/core/src/exposition/text.ts', '../metrics/counter.ts', 'A codec sees'],
  ['packages/core/src/exposition/text.ts', 'node:zlib', 'A codec sees'],
  ['packages/core/src/parse/text.ts', '../metrics/counter.ts', 'A codec sees'],
  ['packages/core/src/parse/text.ts', '../exposition/text.ts', 'A codec sees'],
  ['packages/core/src/exporter/exporter.ts', '../http/handler.ts', 'no transport'],
  ['packages/core/src/exporter/exporter.ts', 'node:fs', 'no runtime dependency'],
  ['packages/core/src/testing/lint.ts', '../http/handler.ts', 'no transport'],
  ['packages/core/src/testing/lint.ts', 'node:fs', 'no runtime dependency'],
  ['packages/core/src/http/server.ts', 'express', 'no runtime dependency'],
  ['packages/core/src/http/server.ts', '../push/pushgateway.ts', 'does not know another'],
  ['packages/core/src/http/server.ts', '../index.ts', 'entry point'],
  ['packages/core/src/cli/command.ts', '@grafana/grafana-foundation-sdk/units', 'no runtime dependency'],
  ['packages/core/src/cli/dashboard/panel.ts', 'lodash', 'these are bundled'],
  ['packages/core/src/cli/dashboard/panel.ts', '../command.ts', 'made of families'],
  ['packages/express/src/index.ts', 'prom-client', 'An adapter translates'],
  ['packages/express/src/index.ts', '@narthex/core/push', 'An adapter translates'],
  ['packages/express/src/index.ts', 'node:http', 'what touches Node'],
  ['packages/express/src/index.ts', '../../core/src/index.ts', 'An adapter translates'],
  ['packages/fastify/src/index.ts', '@narthex/express', 'An adapter translates'],
  ['packages/koa/src/index.ts', 'express', 'An adapter translates'],
  ['packages/nestjs/src/index.ts', '@narthex/koa', 'The Nest module'],
  ['packages/remote-write/src/index.ts', 'prom-client', 'Remote write speaks'],
  ['packages/core/test/gauge.test.ts', '../../../packages/core/src/registry.ts', 'reached by name'],
  ['examples/shop/main.ts', '@narthex/core/dist/index.js', 'reached by name'],
]

const allowed: [file: string, statement: string][] = [
  ['packages/core/src/labels.ts', `import { isValidName } from './names.ts'`],
  ['packages/core/src/registry.ts', `import { textFormat } from './exposition/text.ts'`],
  ['packages/core/src/opentelemetry.ts', `import type { FindExemplar } from './metrics/exemplar-sampler.ts'`],
  ['packages/core/src/index.ts', `export { Gauge } from './metrics/gauge.ts'`],
  ['packages/core/src/metrics/gauge.ts', `import { unixSeconds } from '../clock.ts'`],
  ['packages/core/src/exposition/text.ts', `import { formatFloat } from '../float.ts'`],
  ['packages/core/src/parse/text.ts', `import { isValidName } from '../names.ts'`],
  ['packages/core/src/http/server.ts', `import { createServer } from 'node:http'`],
  ['packages/core/src/cli/dashboard/panel.ts', `import { Seconds } from '@grafana/grafana-foundation-sdk/units'`],
  ['packages/core/src/cli/command.ts', `import type { DashboardOptions } from './dashboard/dashboard.ts'`],
  ['packages/express/src/index.ts', `import { HttpMetrics } from '@narthex/core/http'`],
  ['packages/core/src/http/server.ts', `import { Registry } from '../registry.ts'`],
  ['packages/express/src/index.ts', `import type { Request } from 'express'`],
  ['packages/nestjs/src/guards/index.ts', `import { Injectable } from '@nestjs/common'`],
  ['packages/express/src/index.ts', `import onFinished from 'on-finished'`],
]

interface Finding {
  readonly filename: string
  readonly code: string
  readonly message: string
  readonly help?: string
}

describe('the linter keeps the layers', () => {
  it('of every package', async () => {
    const { overrides } = JSON.parse(await readFile(path.join(root, '.oxlintrc.json'), 'utf8'))
    const ruled = overrides.flatMap(({ files }: { files: string[] }) => files).join(' ')
    for (const name of await readdir(path.join(root, 'packages'))) expect(ruled).toContain(`packages/${name}/src/`)
  })

  let folder: string
  let findings: Finding[]

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'narthex-layers-'))
    for (const [index, [file, specifier]] of refused.entries()) {
      await plant(`refused-${index}`, file, `import { planted } from '${specifier}'\nplanted()\n`)
      await plant(`typed-${index}`, file, `import type { Planted } from '${specifier}'\nexport type { Planted }\n`)
    }
    for (const [index, [file, statement]] of allowed.entries()) await plant(`allowed-${index}`, file, `${statement}\n`)
    findings = await lint()
  })

  afterAll(() => rm(folder, { recursive: true }))

  it.each(refused)('%s does not import %s', (file, specifier, reason) => {
    const index = refused.findIndex((row) => row[0] === file && row[1] === specifier)
    expect(reasonsIn(`refused-${index}`)).toContain(reason)
  })

  it('refuses imports of types alike', () => {
    for (const [index, [file, specifier, reason]] of refused.entries()) {
      expect(reasonsIn(`typed-${index}`), `${file} imports types of ${specifier}`).toContain(reason)
    }
  })

  it.each(allowed)('%s may say: %s', (file, statement) => {
    const index = allowed.findIndex((row) => row[0] === file && row[1] === statement)
    expect(reasonsIn(`allowed-${index}`)).toBe('')
  })

  /** Each row has a tree of its own with the rules at its root: they are about paths from there. */
  async function plant(tree: string, file: string, source: string) {
    const target = path.join(folder, tree, file)
    await mkdir(path.dirname(target), { recursive: true })
    await copyFile(path.join(root, '.oxlintrc.json'), path.join(folder, tree, '.oxlintrc.json'))
    await writeFile(target, source)
  }

  async function lint(): Promise<Finding[]> {
    const oxlint = path.join(root, 'node_modules', 'oxlint', 'bin', 'oxlint')
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [oxlint, '--format', 'json'], { cwd: folder, maxBuffer: 2 ** 26 }, (_, stdout) =>
        resolve(stdout),
      )
    })
    return JSON.parse(output).diagnostics
  }

  function reasonsIn(tree: string): string {
    return findings
      .filter(({ filename, code }) => code === 'eslint(no-restricted-imports)' && filename.startsWith(`${tree}/`))
      .map(({ message, help }) => `${message} ${help ?? ''}`)
      .join('\n')
  }
})
