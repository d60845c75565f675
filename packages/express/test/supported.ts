import express from 'express'
import express4 from 'express-4'
import express4Oldest from 'express-4-oldest'
import express5Oldest from 'express-5-oldest'

/** Both ends of what is supported, of both majors. */
export const versions: readonly [name: string, express: unknown, isOld: boolean][] = [
  ['Express 5.3', express, false],
  ['Express 5.0.0', express5Oldest, false],
  ['Express 4.22.3', express4, true],
  ['Express 4.17.0', express4Oldest, true],
]
