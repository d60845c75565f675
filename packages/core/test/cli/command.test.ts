import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { encode, protobufFormat } from '@narthex/core'
import { parseProtobuf, parseText } from '@narthex/core/parse'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../src/cli/command.ts'

interface Outcome {
  readonly code: number
  readonly stdout: Uint8Array
  readonly text: string
  readonly stderr: string
}

/** Runs the command with `input` on its standard input, in two pieces. */
async function narthex(args: readonly string[], input: string | Uint8Array = ''): Promise<Outcome> {
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input
  const middle = bytes.length >> 1
  const written: Uint8Array[] = []
  let stderr = ''
  const code = await run(args, {
    stdin: (async function* () {
      yield bytes.subarray(0, middle)
      yield bytes.subarray(middle)
    })(),
    stdout: { write: (data) => written.push(typeof data === 'string' ? new TextEncoder().encode(data) : data) },
    stderr: { write: (data) => (stderr += data) },
  })
  const stdout = new Uint8Array(written.flatMap((piece) => [...piece]))
  return { code, stdout, text: new TextDecoder().decode(stdout), stderr }
}

const GOOD = '# HELP requests_total Requests\n# TYPE requests_total counter\nrequests_total{code="200"} 3\n'
const OPENMETRICS = '# HELP requests Requests\n# TYPE requests counter\nrequests_total{code="200"} 3.0\n# EOF\n'

let folder: string
let server: Server
let url: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'narthex-'))
  await writeFile(path.join(folder, 'good.prom'), GOOD)
  server = createServer((request, response) => {
    const accept = request.headers.accept ?? ''
    const wantsProtobuf = request.url === '/metrics' && accept.startsWith('application/vnd.google.protobuf')
    if (request.url === '/protobuf' || wantsProtobuf) {
      response.setHeader('content-type', protobufFormat.contentType)
      response.end(encode(parseText(GOOD), protobufFormat))
    } else if (request.url === '/metrics') {
      response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')
      response.end(accept.startsWith('application/openmetrics-text') ? OPENMETRICS : '')
    } else if (request.url === '/broken') {
      response.write(GOOD, () => response.destroy())
    } else {
      response.statusCode = 404
      response.end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

describe('narthex lint', () => {
  it('is silent about good metrics, wherever they come from', async () => {
    const silent = { code: 0, text: '', stderr: '' }
    expect(await narthex(['lint'], GOOD)).toMatchObject(silent)
    expect(await narthex(['lint', '-'], GOOD)).toMatchObject(silent)
    expect(await narthex(['lint', path.join(folder, 'good.prom')])).toMatchObject(silent)
    expect(await narthex(['lint', `${url}/metrics`])).toMatchObject(silent)
    expect(await narthex(['lint', `${url}/protobuf`])).toMatchObject(silent)
  })

  it('tells problems as promtool does', async () => {
    expect(await narthex(['lint'], 'a_ms 1\n')).toMatchObject({
      code: 3,
      text: '',
      stderr: 'a_ms metric names should not contain abbreviated units\na_ms no help text\n',
    })
  })

  it.each([
    [
      ['lint'],
      'a 1',
      'narthex: the page is wrong at line 1, column 4: expected the end of the line, got the end of the page\n',
    ],
    [
      ['lint', '--from', 'openmetrics'],
      'a 1\n',
      'narthex: the page is wrong at line 2, column 1: expected `# EOF` at the end, got the end of the page\n',
    ],
    [
      ['lint', '--from', 'protobuf'],
      'a 1\n',
      'narthex: the page is wrong at byte 0: expected a field within its message\n',
    ],
  ])('says in a line what is wrong with a page: %j', async (args, input, stderr) => {
    expect(await narthex(args, input)).toEqual({ code: 1, stdout: new Uint8Array(), text: '', stderr })
  })

  it.each([
    [[], 'narthex: expected the command lint, convert or dashboard; try --help\n'],
    [['check'], 'narthex: expected the command lint, convert or dashboard; try --help\n'],
    [['lint', 'a', 'b'], 'narthex: expected one source, got another: b; try --help\n'],
    [['lint', '--to', 'text'], 'narthex: --to is for convert; try --help\n'],
    [['lint', '--escaping', 'dots'], 'narthex: --escaping is for convert and dashboard; try --help\n'],
    [['convert', '--to', 'text', '--job', 'shop'], 'narthex: --job is for dashboard; try --help\n'],
    [['dashboard', '--to', 'text'], 'narthex: --to is for convert; try --help\n'],
    [['lint', '--rate-interval', '5m'], 'narthex: --rate-interval is for dashboard; try --help\n'],
    [['dashboard', '--title', ' '], 'narthex: expected --title to be some text, got " "; try --help\n'],
    [['dashboard', '--job', ''], 'narthex: expected --job to be the name of a job, got ""; try --help\n'],
    ...['', 'my shop', 'x'.repeat(41)].map((uid): [string[], string] => [
      ['dashboard', '--uid', uid],
      `narthex: expected --uid to be up to 40 letters, digits, - and _, got "${uid}"; try --help\n`,
    ]),
    ...['', '5', '0s', '1.5m', '1m1h', '5m]'].map((window): [string[], string] => [
      ['dashboard', '--rate-interval', window],
      `narthex: expected --rate-interval to be a duration such as 5m, or a variable of Grafana, got "${window}"; try --help\n`,
    ]),
    [['convert'], 'narthex: expected --to with a format; try --help\n'],
    [
      ['convert', '--to', 'json'],
      'narthex: expected --to to be one of text, text1, openmetrics, protobuf, got json; try --help\n',
    ],
    [
      ['lint', '--from', 'xml'],
      'narthex: expected --from to be one of text, openmetrics, protobuf, got xml; try --help\n',
    ],
  ])('says in a line what is wrong with the command line %j', async (args, stderr) => {
    expect(await narthex(args)).toEqual({ code: 1, stdout: new Uint8Array(), text: '', stderr })
  })

  it.each([[['lint', '--nope']], [['lint', '/does/not/exist']], [['lint', 'http://127.0.0.1:1/metrics']]])(
    'says in a line why it cannot begin: %j',
    async (args) => {
      const { code, stderr } = await narthex(args)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^narthex: [^\n]+\n$/)
    },
  )

  it.each([
    ['http://127.0.0.1:9', 'bad port; `fetch` refuses this port: serve the page on another'],
    ['http://no-such-host.invalid/metrics', 'getaddrinfo \\w+ no-such-host.invalid; does the server run there\\?'],
  ])('says which address could not be read, why, and what to do: %s', async (address, why) => {
    const { code, stderr } = await narthex(['lint', address])
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`^narthex: cannot read ${address}: ${why}\n$`))
  })

  it('says so of an answer that breaks off', async () => {
    const { stderr } = await narthex(['lint', `${url}/broken`])
    expect(stderr).toBe(`narthex: cannot read ${url}/broken: other side closed; does the server run there?\n`)
  })

  it('says so of a port where nothing listens, by address and by name', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise<void>((resolve) => closed.close(() => resolve()))
    for (const host of ['127.0.0.1', 'localhost']) {
      const { stderr } = await narthex(['lint', `http://${host}:${port}/metrics`])
      const pattern = `^narthex: cannot read http://${host}:${port}/metrics: connect ECONNREFUSED .+; does the server run there\\?\\n$`
      expect(stderr).toMatch(new RegExp(pattern))
    }
  })

  it('says what a server answered', async () => {
    expect((await narthex(['lint', `${url}/nothing`])).stderr).toBe(`narthex: ${url}/nothing answered 404 Not Found\n`)
  })

  it('reads leniently where asked to', async () => {
    expect((await narthex(['lint', '--lenient'], '# HELP a A\na 1')).code).toBe(0)
  })
})

describe('narthex convert', () => {
  it('finds out the format and writes another', async () => {
    expect((await narthex(['convert', '--to', 'openmetrics'], GOOD)).text).toBe(OPENMETRICS)
    expect((await narthex(['convert', '--to', 'text'], OPENMETRICS)).text).toBe(GOOD)
    expect((await narthex(['convert', '--to', 'text', `${url}/protobuf`])).text).toBe(GOOD)
    const { stdout } = await narthex(['convert', '--to', 'protobuf'], GOOD)
    expect(parseProtobuf(stdout)).toEqual(parseText(GOOD))
    expect((await narthex(['convert', '--to', 'text'], stdout)).text).toBe(GOOD)
  })

  it('keeps names as they are, but for text 0.0.4, and escapes them as asked', async () => {
    const page = '# TYPE "a.b" gauge\n{"a.b"} 1\n'
    expect((await narthex(['convert', '--to', 'text1'], page)).text).toBe(page)
    expect((await narthex(['convert', '--to', 'text'], page)).text).toBe('# TYPE a_b gauge\na_b 1\n')
    expect((await narthex(['convert', '--to', 'text1', '--escaping', 'dots'], page)).text).toBe(
      '# TYPE a_dot_b gauge\na_dot_b 1\n',
    )
  })

  it('takes an empty page and one of empty lines for text', async () => {
    expect((await narthex(['convert', '--to', 'openmetrics'])).text).toBe('# EOF\n')
    expect((await narthex(['convert', '--to', 'openmetrics'], '\n\n\n\n\n\n\n\n\n\n\n\n')).text).toBe('# EOF\n')
  })

  it('shows its usage', async () => {
    const { code, text } = await narthex(['--help'])
    expect(code).toBe(0)
    expect(text).toMatch(/^Usage: narthex lint/)
  })
})

describe('narthex dashboard', () => {
  const titleOf = async (args: readonly string[], input = ''): Promise<string> =>
    JSON.parse((await narthex(['dashboard', ...args], input)).text).title

  it('writes a dashboard of what is on the page', async () => {
    const { code, text, stderr } = await narthex(['dashboard', '--uid', 'shop'], GOOD)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(text.endsWith('}\n')).toBe(true)
    const { uid, panels } = JSON.parse(text)
    expect(uid).toBe('shop')
    expect(panels.map(({ title }: { title: string }) => title)).toEqual(['Metrics', 'Requests, per second'])
  })

  it('has the title that is given, the job, or where the page is from', async () => {
    expect(await titleOf(['--title', 'My shop', '--job', 'shop'], GOOD)).toBe('My shop')
    expect(await titleOf(['--job', 'shop'], GOOD)).toBe('shop')
    expect(await titleOf([`${url}/metrics`])).toBe(new URL(url).host)
    expect(await titleOf([path.join(folder, 'good.prom')])).toBe('good.prom')
    expect(await titleOf([], GOOD)).toBe('Metrics')
  })

  it('spells names as asked', async () => {
    const { text } = await narthex(['dashboard', '--escaping', 'underscores'], '# TYPE "a.b" gauge\n{"a.b"} 1\n')
    expect(text).toContain('a_b{')
    expect(text).not.toContain('a.b')
  })

  it.each(['5m', '1h30m', '500ms', '$__range'])('takes rates over the window that is given: %s', async (window) => {
    const { text } = await narthex(['dashboard', '--rate-interval', window], GOOD)
    const [, panel] = JSON.parse(text).panels
    expect(panel.targets[0].expr).toContain(`[${window}])`)
    expect(text).not.toContain('$__rate_interval')
  })

  it('says in a line that there is nothing to show', async () => {
    expect(await narthex(['dashboard'], '')).toMatchObject({
      code: 1,
      text: '',
      stderr: 'narthex: the page has no metrics to show\n',
    })
  })
})

describe('the command as a process', () => {
  const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

  it('reads standard input and exits with the code', (context) => {
    if (!existsSync(program)) context.skip('the package is not built')
    const lint = spawnSync(process.execPath, [program, 'lint'], { input: 'a_ms 1\n', encoding: 'utf8' })
    expect(lint).toMatchObject({ status: 3, stdout: '' })
    const convert = spawnSync(process.execPath, [program, 'convert', '--to', 'openmetrics'], {
      input: GOOD,
      encoding: 'utf8',
    })
    expect(convert).toMatchObject({ status: 0, stdout: OPENMETRICS, stderr: '' })
    const dashboard = spawnSync(process.execPath, [program, 'dashboard'], { input: GOOD, encoding: 'utf8' })
    expect(dashboard).toMatchObject({ status: 0, stderr: '' })
    expect(JSON.parse(dashboard.stdout)).toMatchObject({ title: 'Metrics' })
  })
})
