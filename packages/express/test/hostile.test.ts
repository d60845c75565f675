import express from 'express'
import express4 from 'express-4'
import express5Oldest from 'express-5-oldest'
import { runHostileClients } from '../../../test/http-requests/hostile.ts'
import { type ExpressModule, listen, tableApp } from './app.ts'

const versions: [name: string, express: unknown, wildcard: string][] = [
  ['Express 5.3', express, '/files/*path'],
  ['Express 5.0.0', express5Oldest, '/files/*path'],
  ['Express 4.22.3', express4, '/files/*'],
]

for (const [name, module, wildcard] of versions) {
  runHostileClients({
    name,
    start: (options) => listen(tableApp(module as ExpressModule, options, wildcard), options.registry),
    routes: [wildcard],
    http2: false,
  })
}
