import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

const pages = ['README.md', 'CONTRIBUTING.md', ...markdownIn('docs')]
for (const group of ['packages', 'examples']) {
  for (const name of readdirSync(path.join(root, group))) pages.push(path.posix.join(group, name, 'README.md'))
}

it.each(pages.filter((page) => existsSync(path.join(root, page))))('every link of %s leads somewhere', (page) => {
  const dead = linksOf(page).filter((link) => !leadsSomewhere(page, link))
  expect(dead).toEqual([])
})

it('there is a way from the README to every page of docs', () => {
  const seen = new Set<string>()
  const follow = (page: string): void => {
    if (seen.has(page) || !page.endsWith('.md') || !existsSync(path.join(root, page))) return
    seen.add(page)
    for (const link of linksOf(page)) follow(path.posix.join(path.posix.dirname(page), link.split('#')[0]))
  }
  follow('README.md')
  expect(markdownIn('docs').filter((page) => !seen.has(page))).toEqual([])
})

function markdownIn(directory: string): string[] {
  const names = readdirSync(path.join(root, directory), { recursive: true }).map(String)
  return names.filter((name) => name.endsWith('.md')).map((name) => path.posix.join(directory, name))
}

/** Links to files; those of code are none. */
function linksOf(page: string): string[] {
  const text = readFileSync(path.join(root, page), 'utf8').replaceAll(/^ *```[^]*?^ *```/gm, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter((link) => !/^[a-z]+:/.test(link))
}

function leadsSomewhere(page: string, link: string): boolean {
  const [file, anchor] = link.split('#')
  const target = path.join(root, path.dirname(page), file === '' ? path.basename(page) : file)
  if (!existsSync(target)) return false
  if (anchor === undefined || statSync(target).isDirectory()) return anchor === undefined
  const headings = readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)
  return [...headings].some(([, heading]) => anchorOf(heading) === anchor)
}

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
}
