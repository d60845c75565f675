import { once } from 'node:events'
import { createServer } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { freePort } from '../../../test/free-port.ts'
import { until } from '../../../test/until.ts'
import { buildShop, finalTableIn, metricsUrlIn, RunningShop } from './running-shop.ts'

const ROUTES = [
  'GET /books',
  'GET /books/:isbn',
  'GET /books/:isbn/reviews',
  'GET /books/:isbn/reviews/:id',
  'GET /catalogue.csv',
  'GET /offers',
  'GET /search',
  'GET <unmatched>',
  'POST /orders',
  'All routes',
]

describe('The bookshop', { timeout: 120_000 }, () => {
  beforeAll(buildShop, 120_000)

  it('ends by itself and has counted every request that its generator sent, under its route', async () => {
    const { code, output, errors } = await new RunningShop(['--port', '0', '--seconds', '3']).ended()
    const table = finalTableIn(output)

    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    // In so short a time it may be that nobody asked for what few ask for.
    expect(ROUTES).toEqual(expect.arrayContaining(table.map(({ route }) => route)))
    for (const { route, sent, counted } of table) expect({ route, counted }).toEqual({ route, counted: sent })
    expect(table.at(-1)?.sent).toBeGreaterThan(0)
    expect(output).toContain(' 0 in flight.\n')
  })

  it('prints the URL of its page first, and leaves nothing running', async () => {
    const shop = new RunningShop(['--port', '0'])
    await shop.printed('Ctrl+C ends it.\n')
    shop.interrupt()
    const { code, output, errors } = await shop.ended()

    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(metricsUrlIn(output)).toMatch(/^http:\/\/localhost:\d+\/metrics$/)
    await expect(fetch(metricsUrlIn(output))).rejects.toThrow('fetch failed')
  })

  it('shows what the page says in 80 plain columns, and ends with a table when it is interrupted', async () => {
    const port = await freePort()
    const shop = new RunningShop(['--port', String(port)], { ...process.env, FORCE_COLOR: undefined })
    await shop.printed('The last ')
    await shop.printed('Orders:')
    await until('every route was asked for', async () => (await shop.counted()).size === ROUTES.length - 1)
    const response = await fetch(metricsUrlIn(shop.output))
    expect(await response.text()).toContain('\nhttp_requests_total{method="GET",route="/books/:isbn",code="200"} ')
    shop.interrupt()
    const { code, output } = await shop.ended()

    expect(code).toBe(0)
    expect(output).toMatch(/IN FLIGHT\n(?:.+\n)+\nGET, all routes .* \d+\nPOST, all routes .* \d+\n/)
    expect(finalTableIn(output).map(({ route }) => route)).toEqual(ROUTES)
    expect(output.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(output).not.toContain('\u001B')
  })

  it('says so where the port that was asked for is taken', async () => {
    const other = createServer()
    await once(other.listen(0, 'localhost'), 'listening')
    const { port } = other.address() as { port: number }
    const { code, output, errors } = await new RunningShop(['--port', String(port), '--seconds', '1']).ended()
    other.close()

    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(errors).toBe(`bookshop: Port ${port} is taken: choose another with --port.\n`)
  })

  it.each([
    [['--seconds', 'ten'], '--seconds takes a number above 0 and up to 604800, not `ten`.'],
    [['--seconds', '0'], '--seconds takes a number above 0 and up to 604800, not `0`.'],
    [['--port', '70000'], '--port takes a number from 0 to 65535, not `70000`.'],
    [['--framework', 'toString'], '--framework takes one of express, fastify, koa, nestjs, not `toString`.'],
    [['--colour'], "Unknown option '--colour'"],
  ])('refuses %j', async (args, reason) => {
    const { code, output, errors } = await new RunningShop(args).ended()
    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(errors).toContain(`bookshop: ${reason}`)
    expect(errors.split('\n')).toHaveLength(2)
  })

  it('explains its options', async () => {
    const { code, output } = await new RunningShop(['--help']).ended()
    expect(code).toBe(0)
    for (const option of ['--seconds', '--port', '--prometheus', '--framework', '--help'])
      expect(output).toContain(option)
  })

  it('says how to get a Prometheus where there is none, and goes on', async () => {
    const { code, output } = await new RunningShop(['--port', '0', '--prometheus', '--seconds', '2'], {
      ...process.env,
      PATH: '',
    }).ended()
    expect(output).toContain('There is no `prometheus` on the PATH.')
    expect(code).toBe(0)
    expect(finalTableIn(output).at(-1)).toMatchObject({ route: 'All routes', sent: expect.any(Number) })
  })

  it('links to a graph of the Prometheus that it starts, and stops it', async (context) => {
    requireProgram('prometheus', context)
    const shop = new RunningShop(['--port', '0', '--prometheus'])
    await shop.printed('Graph ')
    const graph = new URL(/^Graph +(\S+)$/m.exec(shop.output)?.[1] ?? '')
    expect(graph.searchParams.get('g0.expr')).toBe('sum by (route) (rate(http_requests_total[30s]))')
    expect((await fetch(new URL('/-/ready', graph))).status).toBe(200)

    shop.interrupt()
    const { code, errors } = await shop.ended()
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    await expect(fetch(new URL('/-/ready', graph))).rejects.toThrow('fetch failed')
  })
})
