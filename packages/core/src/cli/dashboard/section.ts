import type { Panel } from './panel.ts'

/** A row of the dashboard. */
export interface Section {
  readonly title: string
  readonly panels: readonly Panel[]
}
