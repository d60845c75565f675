import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../test/until.ts'
import { Traffic } from '../src/traffic.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]'

let shop: Server | undefined
let traffic: Traffic | undefined

afterEach(async () => {
  await traffic?.stop()
  shop?.close()
})

/** A shop that does with the nth request of a connection, counted from 0, what it is told to. */
async function open(answer: (connection: Socket, nth: number) => void): Promise<Traffic> {
  shop = createServer((connection) => {
    let requests = 0
    connection.on('error', () => {})
    connection.on('data', () => answer(connection, requests++))
  })
  await once(shop.listen(0, '127.0.0.1'), 'listening')
  traffic = new Traffic({ url: `http://127.0.0.1:${(shop.address() as AddressInfo).port}`, customers: 1, pause: 2 })
  return traffic
}

function sentBy({ total }: Traffic): number {
  return total
}

describe('Traffic', { timeout: 60_000 }, () => {
  it('sends a request once more where the shop had closed the connection that it was sent on', async () => {
    const seen = { all: 0, closed: 0 }
    const customers = await open((connection, nth) => {
      if (nth === 0) {
        seen.all += 1
        connection.write(ANSWER)
      } else {
        seen.closed += 1
        connection.resetAndDestroy()
      }
    })
    await until('ten requests were sent on closed connections', () => seen.closed >= 10)
    await customers.stop()
    expect(sentBy(customers)).toBe(seen.all)
    expect(customers.visits.filter(({ status }) => status === 0)).toEqual([])
  })

  it('does not send it once more where the answer had begun', async () => {
    let seen = 0
    const customers = await open((connection, nth) => {
      seen += 1
      if (nth === 0) connection.write(ANSWER)
      else connection.end(ANSWER.slice(0, -1))
    })
    await until('ten requests were answered by half', () => seen >= 20)
    await customers.stop()
    expect(sentBy(customers)).toBe(seen)
  })

  it('does not send it once more where the connection was new', async () => {
    let seen = 0
    const customers = await open((connection) => {
      seen += 1
      connection.resetAndDestroy()
    })
    await until('ten requests were refused', () => seen >= 10)
    await customers.stop()
    expect(sentBy(customers)).toBe(seen)
  })
})
