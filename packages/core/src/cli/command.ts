import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { encode } from '../exposition/encode.ts'
import type { ExpositionFormat } from '../exposition/format.ts'
import { openMetricsFormat } from '../exposition/openmetrics.ts'
import { protobufFormat } from '../exposition/protobuf.ts'
import { textFormat, textFormat1 } from '../exposition/text.ts'
import type { MetricFamily } from '../family.ts'
import type { EscapingScheme } from '../names.ts'
import { parseOpenMetrics } from '../parse/openmetrics.ts'
import { ParseError } from '../parse/parse-error.ts'
import { parseProtobuf } from '../parse/protobuf.ts'
import { parseText } from '../parse/text.ts'
import { lint } from '../testing/lint.ts'
import type { DashboardOptions } from './dashboard/dashboard.ts'
import { formatOfContentType, formatOfPage, type PageFormat } from './page-format.ts'

const USAGE = `Usage: narthex lint [options] [url | file | -]
       narthex convert --to format [options] [url | file | -]
       narthex dashboard [options] [url | file | -]

lint       checks a page of metrics as \`promtool check metrics\` does
convert    writes it in another format
dashboard  writes a Grafana dashboard (JSON) that shows the metrics of the page

Without a source, or with -, the page is read from standard input.

  --from format      text, openmetrics or protobuf; found out where it is not given
  --to format        convert: text, text1 (1.0.0), openmetrics or protobuf
  --escaping scheme  of names: allow-utf-8, underscores, dots or values
                     (allow-utf-8, but underscores for text)
  --title text       dashboard: its title (the job, else where the page is from)
  --job name         dashboard: the job that is chosen when it opens (all)
  --uid id           dashboard: what Grafana knows it by; keep it to replace one
  --rate-interval d  dashboard: window of the rates, such as 5m ($__rate_interval)
  --lenient          reads what the Prometheus server reads
  -h, --help         shows this

Exit codes: 0 fine, 1 not to be read or wrongly used, 3 problems found
`

/** What the command touches of the world. */
export interface CommandWorld {
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: { write(data: string | Uint8Array): unknown }
  readonly stderr: { write(data: string): unknown }
}

/**
 * Runs the command and gives its exit code, promtool's: 0 where all is well, 1 where the command line or the page is
 * wrong, 3 where the page has lint problems. Says in one line on `stderr` what went wrong; never throws.
 */
export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  try {
    return await runCommand(args, world)
  } catch (error) {
    world.stderr.write(`narthex: ${messageOf(error)}\n`)
    return 1
  }
}

const TO_FORMATS: Readonly<Record<string, ExpositionFormat>> = {
  text: textFormat,
  text1: textFormat1,
  openmetrics: openMetricsFormat,
  protobuf: protobufFormat,
}
const FROM_FORMATS: readonly string[] = ['text', 'openmetrics', 'protobuf']
const SCHEMES: readonly string[] = ['allow-utf-8', 'underscores', 'dots', 'values']

const OPENMETRICS_OR_TEXT =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

/**
 * What is asked for: OpenMetrics tells the most, but only protobuf that a histogram is native, which queries must know.
 * Anything that can be read will do.
 */
const ACCEPT: Readonly<Record<Command, string>> = {
  lint: OPENMETRICS_OR_TEXT,
  convert: OPENMETRICS_OR_TEXT,
  dashboard: `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8,${OPENMETRICS_OR_TEXT}`,
}

const COMMANDS = ['lint', 'convert', 'dashboard'] as const
type Command = (typeof COMMANDS)[number]

/** The options that only some of the commands have. */
const OPTIONS_OF: Readonly<Record<string, readonly Command[]>> = {
  to: ['convert'],
  escaping: ['convert', 'dashboard'],
  title: ['dashboard'],
  job: ['dashboard'],
  uid: ['dashboard'],
  'rate-interval': ['dashboard'],
}

/** What Grafana would refuse of a dashboard, or Prometheus of its queries. */
const FORMS: Readonly<Record<string, { readonly pattern: RegExp; readonly what: string }>> = {
  title: { pattern: /\S/, what: 'some text' },
  job: { pattern: /\S/, what: 'the name of a job' },
  uid: { pattern: /^[\w-]{1,40}$/, what: 'up to 40 letters, digits, - and _' },
  'rate-interval': {
    pattern: /^(?=.*[1-9])(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$|^\$\w+$/,
    what: 'a duration such as 5m, or a variable of Grafana',
  },
}

/** A command line that cannot be carried out. */
class UsageError extends Error {}

async function runCommand(args: readonly string[], world: CommandWorld): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      escaping: { type: 'string' },
      title: { type: 'string' },
      job: { type: 'string' },
      uid: { type: 'string' },
      'rate-interval': { type: 'string' },
      lenient: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help === true) {
    world.stdout.write(USAGE)
    return 0
  }
  const [name, source = '-', ...rest] = positionals
  const command = COMMANDS.find((one) => one === name)
  if (command === undefined) throw new UsageError('expected the command lint, convert or dashboard')
  if (rest.length > 0) throw new UsageError(`expected one source, got another: ${rest[0]}`)
  for (const [option, commands] of Object.entries(OPTIONS_OF)) {
    if (values[option as keyof typeof values] === undefined || commands.includes(command)) continue
    throw new UsageError(`--${option} is for ${commands.join(' and ')}`)
  }
  const from = oneOf('--from', values.from, FROM_FORMATS)
  const to = oneOf('--to', values.to, Object.keys(TO_FORMATS))
  const escaping = oneOf('--escaping', values.escaping, SCHEMES) as EscapingScheme | undefined
  if (command === 'convert' && to === undefined) throw new UsageError('expected --to with a format')
  for (const [option, { pattern, what }] of Object.entries(FORMS)) {
    const value = values[option as keyof typeof values]
    if (typeof value === 'string' && !pattern.test(value)) {
      throw new UsageError(`expected --${option} to be ${what}, got ${JSON.stringify(value)}`)
    }
  }

  const page = await readPage(source, world.stdin, ACCEPT[command])
  const families = parsePage(page.bytes, (from as PageFormat) ?? page.format, values.lenient === true)
  if (command === 'dashboard') {
    const { title = values.job ?? titleOfSource(source), job, uid, 'rate-interval': rateInterval } = values
    world.stdout.write(await dashboard(families, escaping, { title, job, uid, rateInterval }))
    return 0
  }
  if (command === 'convert') {
    const scheme = escaping ?? (to === 'text' ? 'underscores' : 'allow-utf-8')
    const format = (TO_FORMATS[to as string] as ExpositionFormat).withEscaping(scheme)
    world.stdout.write(encode(families, format))
    return 0
  }
  const problems = lint(families)
  for (const { metric, text } of problems) world.stderr.write(`${metric} ${text}\n`)
  return problems.length === 0 ? 0 : 3
}

/** Its code is loaded when it is asked for: Grafana's builders are more than all the rest. */
async function dashboard(
  families: readonly MetricFamily[],
  escaping: EscapingScheme | undefined,
  options: DashboardOptions,
): Promise<string> {
  if (families.length === 0) throw new Error('the page has no metrics to show')
  const { dashboardOf } = await import('./dashboard/dashboard.ts')
  const named = escaping === undefined ? families : withNames(families, escaping)
  return `${JSON.stringify(dashboardOf(named, options), undefined, 2)}\n`
}

/** The families as a Prometheus that asks for such names has them. */
function withNames(families: readonly MetricFamily[], escaping: EscapingScheme): MetricFamily[] {
  return parseProtobuf(encode(families, protobufFormat.withEscaping(escaping)))
}

function titleOfSource(source: string): string {
  if (source === '-') return 'Metrics'
  return URL.canParse(source) ? new URL(source).host : path.basename(source)
}

function oneOf(option: string, value: string | undefined, choices: readonly string[]): string | undefined {
  if (value === undefined || choices.includes(value)) return value
  throw new UsageError(`expected ${option} to be one of ${choices.join(', ')}, got ${value}`)
}

interface Page {
  readonly bytes: Uint8Array
  readonly format?: PageFormat
}

async function readPage(source: string, stdin: AsyncIterable<Uint8Array>, accept: string): Promise<Page> {
  if (source === '-') return { bytes: await concatenated(stdin) }
  if (!/^https?:\/\//i.test(source)) return { bytes: new Uint8Array(await readFile(source)) }
  const response = await inAnswer(source, fetch(source, { headers: { accept } }))
  if (!response.ok) throw new Error(`${source} answered ${response.status} ${response.statusText}`.trimEnd())
  return {
    bytes: new Uint8Array(await inAnswer(source, response.arrayBuffer())),
    format: formatOfContentType(response.headers.get('content-type')),
  }
}

/** What is awaited from an address; where it fails, with the address, the reason and what to do. */
async function inAnswer<T>(address: string, awaited: Promise<T>): Promise<T> {
  try {
    return await awaited
  } catch (error) {
    const { message } = innermost(error)
    const advice =
      message === 'bad port' ? '`fetch` refuses this port: serve the page on another' : 'does the server run there?'
    throw new Error(`cannot read ${address}: ${message}; ${advice}`, { cause: error })
  }
}

/** `fetch` says only that it failed; why is in the causes. */
function innermost(error: unknown): Error {
  const inner = error instanceof Error ? error : new Error(String(error))
  if (inner.cause instanceof Error) return innermost(inner.cause)
  // Of several addresses, each has its own error.
  if (inner instanceof AggregateError && inner.message === '') return innermost(inner.errors[0])
  return inner
}

async function concatenated(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    parts.push(chunk)
    length += chunk.length
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function parsePage(page: Uint8Array, format: PageFormat | undefined, lenient: boolean): MetricFamily[] {
  switch (format ?? formatOfPage(page)) {
    case 'openmetrics':
      return parseOpenMetrics(page, { lenient })
    case 'protobuf':
      return parseProtobuf(page)
    default:
      return parseText(page, { lenient })
  }
}

/** One line: what is wrong, and where one finds help about the command line. */
function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const line = text.replaceAll(/\s*\n\s*/g, ' ')
  if (error instanceof ParseError) return `the page is wrong at ${line}`
  return isUsageError(error) ? `${line}; try --help` : line
}

function isUsageError(error: unknown): boolean {
  if (error instanceof UsageError) return true
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}
