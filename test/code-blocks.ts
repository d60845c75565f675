import { spawn } from 'node:child_process'

/** A fenced block of code in a Markdown file. */
export interface CodeBlock {
  readonly file: string
  /** The line of its opening fence, from 1. */
  readonly line: number
  readonly language: string
  /** What the fence says after the language: how the program is to be run. */
  readonly run: Run
  readonly code: string
}

/**
 * How a block is run, by the words after its language. Nothing: it ends by itself. `serves URL`: it goes on, and is
 * stopped once the URL answers. `prints TEXT`: it is stopped once it printed that. `no-run REASON`: it is no program.
 */
export type Run =
  | { readonly kind: 'ends' }
  | { readonly kind: 'serves' | 'prints' | 'no-run'; readonly argument: string }

/** The fenced blocks of a Markdown text that are in one of `languages`. Throws for a fence that is not understood. */
export function codeBlocks(markdown: string, file: string, languages: readonly string[]): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const fence = /^( *)(`{3,}|~{3,})\s*(\S*)\s*(.*)$/.exec(lines[at])
    if (fence === null) continue
    const [, indent, marks, language, words] = fence
    const start = at + 1
    const closing = new RegExp(`^ *${marks[0]}{${marks.length},} *$`)
    while (++at < lines.length && !closing.test(lines[at]));
    if (!languages.includes(language)) continue
    const code = lines.slice(start, at).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    blocks.push({
      file,
      line: start,
      language,
      run: runOf(words.trim(), `${file}:${start}`),
      code: `${code.join('\n')}\n`,
    })
  }
  return blocks
}

/** Runs a program as its block says. Rejects with what it printed when it fails, or is not done in time. */
export function runProgram(
  file: string,
  run: Run,
  { cwd, milliseconds }: { cwd: string; milliseconds: number },
): Promise<string> {
  const { NODE_OPTIONS: _, NODE_ENV: __, VITEST: ___, ...env } = process.env
  const child = spawn(process.execPath, ['--enable-source-maps', file], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  return new Promise((resolve, reject) => {
    let done = false
    const failed = (reason: string) => reject(new Error(`${reason}; it printed:\n${printed}`))
    const timer = setTimeout(() => end(() => failed(`not done after ${milliseconds} ms`)), milliseconds)
    const end = (settle: () => void) => {
      done = true
      clearTimeout(timer)
      if (child.exitCode !== null || child.signalCode !== null) return settle()
      child.once('exit', settle)
      child.kill('SIGKILL')
    }
    const read = (chunk: Buffer) => {
      printed += chunk
      if (!done && run.kind === 'prints' && printed.includes(run.argument)) end(() => resolve(printed))
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('close', (code) => {
      if (done) return
      if (code !== 0) end(() => failed(`ended with ${code}`))
      else if (run.kind === 'ends') end(() => resolve(printed))
      else end(() => failed(`ended by itself, expected it to go on (${run.kind} ${run.argument})`))
    })
    if (run.kind === 'serves') void poll(run.argument)

    async function poll(url: string): Promise<void> {
      const answer = await fetch(url).catch(() => undefined)
      await answer?.body?.cancel()
      if (done) return
      if (answer?.ok) end(() => resolve(printed))
      else setTimeout(() => void poll(url), 50)
    }
  })
}

function runOf(words: string, place: string): Run {
  if (words === '') return { kind: 'ends' }
  const [, kind, argument] = /^(\S+)\s*(.*)$/.exec(words)!
  if (kind !== 'serves' && kind !== 'prints' && kind !== 'no-run') {
    throw new Error(`${place}: expected \`serves URL\`, \`prints TEXT\` or \`no-run REASON\`, got \`${words}\``)
  }
  if (argument === '') throw new Error(`${place}: \`${kind}\` lacks its argument`)
  return { kind, argument }
}
