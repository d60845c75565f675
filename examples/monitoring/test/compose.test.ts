import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, type TestContext } from 'vitest'
import { parse } from 'yaml'
import { requireProgram } from '../../../packages/core/test/program.ts'
import type { Dashboard } from './grafana-dashboard.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const root = path.join(folder, '..', '..')

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly environment?: { readonly [name: string]: string }
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
}

let understood: Promise<Map<string, Service>> | undefined

function services(context: TestContext): Promise<Map<string, Service>> {
  requireProgram('docker-compose', context)
  return (understood ??= readServices())
}

/** The compose file as docker-compose understands it. Nothing is started: that needs an engine. */
async function readServices(): Promise<Map<string, Service>> {
  const { stdout } = await promisify(execFile)('docker-compose', ['-f', 'compose.yaml', 'config'], { cwd: folder })
  return new Map(Object.entries((parse(stdout) as { services: { [name: string]: Service } }).services))
}

async function read(file: string): Promise<any> {
  return parse(await readFile(path.join(folder, file), 'utf8'))
}

/** Files and folders of the host, by where they are in the container. */
function mounts({ volumes = [] }: Service): Map<string, string> {
  return new Map(volumes.map((volume) => volume.split(':').slice(0, 2).toReversed() as [string, string]))
}

describe('compose.yaml', () => {
  it('is one that docker-compose reads', async (context) => {
    expect([...(await services(context)).keys()].sort()).toEqual(['bookshop', 'game-servers', 'grafana', 'prometheus'])
  })

  it('mounts and builds from what is there', async (context) => {
    for (const service of (await services(context)).values()) {
      for (const file of mounts(service).values()) expect(existsSync(file), `${file} is there`).toBe(true)
      if (service.build !== undefined) {
        expect(path.resolve(service.build.context)).toBe(path.resolve(root))
        expect(existsSync(path.join(service.build.context, service.build.dockerfile))).toBe(true)
      }
      const program = service.command?.find((word) => word.endsWith('/dist/main.js'))
      if (program !== undefined)
        expect(existsSync(path.join(root, program.replace('dist', 'src').replace('.js', '.ts')))).toBe(true)
    }
  })

  it('has each server where prometheus.yml and Grafana look for it', async (context) => {
    const all = await services(context)
    const { scrape_configs: jobs } = await read('prometheus.yml')
    const targets = jobs.map((job: any) => [job.job_name, job.static_configs[0].targets[0]])
    expect(targets).toEqual([
      ['bookshop', 'localhost:3000'],
      ['game-servers', 'localhost:9800'],
    ])
    expect(all.get('bookshop')!.command).toContain('3000')
    const { datasources } = await read('grafana/provisioning/datasources/prometheus.yaml')
    expect(datasources).toMatchObject([{ type: 'prometheus', url: 'http://localhost:9090' }])
    expect(all.get('bookshop')!.ports!.join(' ')).toContain('9090')
    expect(all.get('bookshop')!.ports!.join(' ')).toContain(all.get('grafana')!.environment!['GF_SERVER_HTTP_PORT'])
  })

  it('shows Grafana the dashboard in the folder that it reads, with a step that suits the scrapes', async (context) => {
    const grafana = mounts((await services(context)).get('grafana')!)
    const { providers } = await read('grafana/provisioning/dashboards/files.yaml')
    const [mounted, file] = [...grafana].find(([target]) => path.posix.dirname(target) === providers[0].options.path)!
    expect(mounted).toMatch(/\.json$/)
    expect((JSON.parse(await readFile(file, 'utf8')) as Dashboard).uid).toBe('bookshop')
    const { datasources } = await read('grafana/provisioning/datasources/prometheus.yaml')
    expect(datasources[0].jsonData.timeInterval).toBe((await read('prometheus.yml')).global.scrape_interval)
  })
})
