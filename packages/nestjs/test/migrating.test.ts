import { comparePages } from './compare-pages.ts'

comparePages(12, 6)
