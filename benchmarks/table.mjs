import { median, spread } from './statistics.mjs'

/**
 * One line of the table: the figure of each library, how ours stands to the best peer, and the goal. `measured` is a
 * Map from library to its rounds.
 */
export function lineOf(row, measured) {
  const ours = measured.get('narthex')
  const peers = row.peers.filter((name) => measured.has(name))
  if (ours === undefined) return undefined
  const best =
    peers.length === 0 ? undefined : Math[row.more ? 'max' : 'min'](...peers.map((name) => median(measured.get(name))))
  const figure = median(ours)
  const { limit, times, share } = row.goal
  let standing = '–'
  let met
  let goal
  if (limit !== undefined) {
    goal = `at most ${limit} ${row.unit}`
    met = figure <= limit
    if (best !== undefined) standing = `${round(best / figure)} × less`
  } else if (times !== undefined) {
    goal = `${times} ×`
    const ratio = best === undefined ? undefined : row.more ? figure / best : best / figure
    if (ratio !== undefined) standing = `${round(ratio)} ×`
    met = ratio === undefined ? undefined : ratio >= times
  } else {
    goal = `at most ${round(share)} of it`
    if (best !== undefined) standing = `${round(figure / best)} of it`
    // A difference to what it is measured against can be noise, below zero.
    met = best === undefined ? undefined : figure <= best * share
  }
  return {
    work: row.work,
    ours: cell(ours, row.unit),
    peers: peers.map((name) => `${name} ${cell(measured.get(name), row.unit)}`).join(', ') || '–',
    standing,
    goal,
    verdict: met === undefined ? '–' : met ? 'met' : 'missed',
  }
}

/** The table as Markdown, its columns aligned so that it reads in a terminal as well. */
export function tableOf(lines) {
  const head = {
    work: 'work',
    ours: 'narthex',
    peers: 'peers',
    standing: 'against the best',
    goal: 'goal',
    verdict: '',
  }
  const keys = Object.keys(head)
  const widths = keys.map((key) => Math.max(3, ...[head, ...lines].map((line) => line[key].length)))
  const rowOf = (line) => `| ${keys.map((key, index) => line[key].padEnd(widths[index])).join(' | ')} |`
  return [rowOf(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.map(rowOf)].join('\n')
}

function cell(rounds, unit) {
  const off = rounds.length > 1 ? ` ±${Math.round(spread(rounds) * 100)} %` : ''
  return `${round(median(rounds))} ${unit}${off}`
}

/** Three digits are what rounds agree on. */
function round(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(Math.abs(value) < 1 ? 2 : 3)))
}
