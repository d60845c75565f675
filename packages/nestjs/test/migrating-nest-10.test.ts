import { comparePages } from './compare-pages.ts'

comparePages(10, 5)
