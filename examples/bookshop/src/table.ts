import { styleText } from 'node:util'

/** How a text is set off where colours are shown. */
export type Style = 'bold' | 'dim' | 'red'

/** Sets a text off, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

export interface Cell {
  readonly text: string
  readonly style?: Style
}

/** Colours where the stream shows them: on a terminal, unless NO_COLOR or its like says otherwise. */
export function paintFor(output: NodeJS.WritableStream): Paint {
  const hasColors = 'hasColors' in output && typeof output.hasColors === 'function' && output.hasColors() === true
  return hasColors ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text
}

/** Lines with the first column to the left and the others to the right. What is wider than its column is cut. */
export function renderTable(widths: readonly number[], rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  return rows.map((cells) =>
    cells
      .map((cell, column) => renderCell(cell, widths[column] ?? 0, column, paint))
      .join('')
      .trimEnd(),
  )
}

function renderCell({ text, style }: Cell, width: number, column: number, paint: Paint): string {
  const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text
  const padding = ' '.repeat(width - cut.length)
  const painted = style === undefined ? cut : paint(style, cut)
  return column === 0 ? painted + padding : padding + painted
}

/** `1,234`, and one decimal below a hundred where `decimals` are asked for. */
export function formatCount(value: number, decimals = 0): string {
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

/** `2.5%`; `–` where there was nothing to have a share of. */
export function formatShare(share: number): string {
  if (Number.isNaN(share)) return '–'
  return share === 0 ? '0%' : `${(100 * share).toFixed(1)}%`
}

/** `850 µs`, `4.2 ms`, `310 ms`, `1.24 s`; `–` for NaN. */
export function formatSeconds(seconds: number): string {
  if (Number.isNaN(seconds)) return '–'
  if (seconds < 0.001) return `${(1e6 * seconds).toFixed(0)} µs`
  if (seconds < 0.0995) return `${(1e3 * seconds).toFixed(1)} ms`
  return seconds < 0.9995 ? `${(1e3 * seconds).toFixed(0)} ms` : `${seconds.toFixed(2)} s`
}
