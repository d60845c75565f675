import { createRequire } from 'node:module'
import { pipeline, Readable } from 'node:stream'

/**
 * The compared libraries behind one shape, so that every benchmark is written once: `open()` gives the metric classes
 * in a registry of their own and a scrape that reads the whole page as bytes.
 */
export const LIBRARIES = {
  narthex: { package: '@narthex/core', open: openNarthex },
  'prom-client': { package: 'prom-client', open: () => openPeer('prom-client') },
  '@prometheus-io/client': {
    package: '@prometheus-io/client',
    leastNode: 22,
    open: () => openPeer('@prometheus-io/client'),
  },
}

/** The version of an installed package, or undefined. */
export function versionOf(name) {
  try {
    return createRequire(import.meta.url)(`${name}/package.json`).version
  } catch {
    return undefined
  }
}

async function openNarthex() {
  const { Counter, Gauge, Histogram, Registry } = await import('@narthex/core')
  const registry = new Registry()
  return {
    registry,
    counter: (options) => new Counter({ ...options, registry, maxSeries: Infinity }),
    gauge: (options) => new Gauge({ ...options, registry, maxSeries: Infinity }),
    histogram: (options) => new Histogram({ ...options, registry, maxSeries: Infinity }),
    async scrape() {
      let bytes = 0
      for await (const chunk of registry.stream()) bytes += chunk.length
      return bytes
    },
    listener: () => narthexListener(registry),
  }
}

async function openPeer(name) {
  const { default: client } = await import(name)
  const registry = new client.Registry()
  return {
    registry,
    counter: (options) => new client.Counter({ ...options, registers: [registry] }),
    gauge: (options) => new client.Gauge({ ...options, registers: [registry] }),
    histogram: (options) => new client.Histogram({ ...options, registers: [registry] }),
    scrape: async () => Buffer.from(await registry.metrics()).length,
    listener: () => async (_request, response) => {
      const page = await registry.metrics()
      response.setHeader('Content-Type', registry.contentType)
      response.end(page)
    },
  }
}

/** The handler that users mount; the bare stream of the registry where the package was built without it. */
async function narthexListener(registry) {
  const handler = await import('@narthex/core/http').then(
    ({ metricsHandler }) => metricsHandler({ registry }),
    () => undefined,
  )
  return handler ?? ((_request, response) => void pipeline(Readable.from(registry.stream()), response, () => {}))
}
