import { runTable } from './run-table.ts'

runTable(11)
