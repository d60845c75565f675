import express from 'express'
import express4 from 'express-4'
import express4Oldest from 'express-4-oldest'
import express5Oldest from 'express-5-oldest'
import { runRequestTable, type TableSubject } from '../../../test/http-requests/run.ts'
import { type ExpressModule, startTableApp } from './app.ts'

const versions: [name: string, express: unknown, wildcard: string][] = [
  ['Express 5.3', express, '/files/*path'],
  ['Express 5.0.0', express5Oldest, '/files/*path'],
  ['Express 4.22.3', express4, '/files/*'],
  ['Express 4.17.0', express4Oldest, '/files/*'],
]

for (const [name, module, wildcard] of versions) {
  runRequestTable({
    name,
    start: () => startTableApp(module as ExpressModule, wildcard),
    // Express puts the prototype of HTTP/1's requests on every request.
    cannot: ['http2', 'HEAD of HTTP/2'],
    differs: { 'a wildcard': [{ route: wildcard, code: 200 }] },
  } satisfies TableSubject)
}
