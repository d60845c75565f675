import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Registry } from '@narthex/core'
import { expectNoLintProblems, getSampleValue } from '@narthex/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { GAME_SERVERS, GameApi, type Mood } from '../src/game-api.ts'
import { GameServers } from '../src/game-servers.ts'
import { readStatus, StatusError, STATES } from '../src/server-status.ts'

describe('the exporter', () => {
  it('shows players by server and in total, facts and states', async () => {
    const { registry, servers } = await polled()
    await servers.poll()
    const page = await registry.metrics()
    const players = GAME_SERVERS.map((server) => getSampleValue(page, 'game_server_players', { server }) ?? Number.NaN)
    expect(players.every((count) => count > 0)).toBe(true)
    expect(getSampleValue(page, 'game_players')).toBe(players.reduce((sum, count) => sum + count))
    expect(page).toContain('game_server_info{server="eu-2",region="eu-west",map="old town",version="1.18.2"} 1\n')
    for (const server of GAME_SERVERS) {
      const states = STATES.map((state) =>
        getSampleValue(page, 'game_server_state', { server, game_server_state: state }),
      )
      expect(states.toSorted()).toEqual([0, 0, 0, 0, 1])
      expect(getSampleValue(page, 'game_server_up', { server })).toBe(1)
    }
    await expectNoLintProblems(registry)
  })

  it.each<[Mood, string]>([
    ['slow', 'timeout'],
    ['bad JSON', 'json'],
    ['wrong shape', 'shape'],
    ['status 500', 'status'],
    ['resets', 'unreachable'],
  ])('survives an API that is %s for one server, and shows the others', async (mood, trouble) => {
    const { api, registry, servers } = await polled()
    await servers.poll()
    api.moods.set('eu-1', mood)
    await servers.poll()
    const server = 'eu-1'
    expect(registry.getSampleValue('game_server_up', { server })).toBe(0)
    expect(registry.getSampleValue('game_server_players', { server })).toBe(undefined)
    expect(registry.getSampleValue('game_server_state', { server, game_server_state: 'unknown' })).toBe(1)
    expect(registry.getSampleValue('game_api_failures_total', { server, trouble })).toBe(1)
    // What is a fact stays one, and when it was last seen says how old it is.
    expect(await registry.metrics()).toContain('game_server_info{server="eu-1",region="eu-west"')
    expect(registry.getSampleValue('game_server_last_seen_timestamp_seconds', { server })).toBeGreaterThan(1e9)
    const others = GAME_SERVERS.filter((name) => name !== server)
    const players = others.map((name) => registry.getSampleValue('game_server_players', { server: name }) ?? Number.NaN)
    expect(registry.getSampleValue('game_players')).toBe(players.reduce((sum, count) => sum + count))

    api.moods.clear()
    await servers.poll()
    expect(registry.getSampleValue('game_server_up', { server })).toBe(1)
    expect(registry.getSampleValue('game_server_players', { server })).toBeGreaterThan(0)
  })

  it('survives an API that is gone, and finds it when it is back', async () => {
    const { api, url, registry, servers } = await polled()
    await servers.poll()
    await api.close()
    await servers.poll()
    expect(GAME_SERVERS.map((server) => registry.getSampleValue('game_server_up', { server }))).toEqual([0, 0, 0])
    expect(registry.getSampleValue('game_players')).toBe(Number.NaN)
    const again = new GameApi()
    onTestFinished(() => again.close())
    await again.listen(Number(new URL(url).port))
    await servers.poll()
    expect(registry.getSampleValue('game_players')).toBeGreaterThan(0)
  })

  it('says of a server that there is none', async () => {
    const { registry, servers } = await polled(['eu-9'])
    await servers.poll()
    expect(registry.getSampleValue('game_server_up', { server: 'eu-9' })).toBe(0)
    expect(registry.getSampleValue('game_api_failures_total', { server: 'eu-9', trouble: 'status' })).toBe(1)
  })

  it('asks at the interval, whatever the scrapes do', async () => {
    const { api, registry, servers } = await polled(['eu-1'])
    await servers.start()
    await Promise.all([registry.metrics(), registry.metrics()])
    expect(api.requests).toBe(1)
  })

  it('asks again and again until it is stopped', async () => {
    const { api, servers } = await polled(['eu-1'], 20)
    await servers.start()
    await expect.poll(() => api.requests).toBeGreaterThanOrEqual(3)
    servers.stop()
    const asked = api.requests
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(api.requests).toBeLessThanOrEqual(asked + 1)
    const settled = api.requests
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(api.requests).toBe(settled)
  })

  it('is a page before the API has answered for the first time', async () => {
    const { registry } = await polled()
    expect(getSampleValue(await registry.metrics(), 'game_server_up', { server: 'us-1' })).toBe(0)
  })
})

describe('an answer of the API', () => {
  const right = { state: 'running', region: 'r', map: 'm', version: '1', players: { online: 1, max: 2 } }
  it.each([
    ['null', 'shape'],
    ['[]', 'shape'],
    ['7', 'shape'],
    ['', 'json'],
    ['<html>', 'json'],
    [JSON.stringify({ ...right, state: 'asleep' }), 'shape'],
    [JSON.stringify({ ...right, players: null }), 'shape'],
    [JSON.stringify({ ...right, players: { online: '1', max: 2 } }), 'shape'],
    [JSON.stringify({ ...right, players: { online: -1, max: 2 } }), 'shape'],
    [JSON.stringify({ ...right, players: { online: 1.5, max: 2 } }), 'shape'],
    [JSON.stringify({ ...right, players: { online: 1 } }), 'shape'],
    [JSON.stringify({ ...right, map: { name: 'm' } }), 'shape'],
  ])('%s is refused: %s', (text, trouble) => {
    expect(() => readStatus(text)).toThrow(StatusError)
    expect(() => readStatus(text)).toThrow(expect.objectContaining({ trouble }))
  })

  it('that has more than was asked for is taken', () => {
    expect(readStatus(JSON.stringify({ ...right, more: true }))).toMatchObject({ online: 1, max: 2, state: 'running' })
  })
})

it('the program serves its page, and ends when it is asked to', { timeout: 120_000 }, async () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))
  execFileSync(process.execPath, [tsc, '-b', folder], { stdio: 'inherit' })
  const child = spawn(process.execPath, ['dist/main.js', '--port', '0', '--interval', '1'], { cwd: folder })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await expect.poll(() => output).toMatch(/^Metrics: http/)
  const url = output.trim().slice('Metrics: '.length)
  const players = async (): Promise<number> =>
    getSampleValue(await (await fetch(url)).text(), 'game_players') ?? Number.NaN
  await expect.poll(players).toBeGreaterThan(0)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

async function polled(
  names: readonly string[] = GAME_SERVERS,
  interval = 60_000,
): Promise<{ api: GameApi; url: string; registry: Registry; servers: GameServers }> {
  const api = new GameApi()
  const url = await api.listen()
  const registry = new Registry()
  const servers = new GameServers({ api: url, servers: names, registry, interval, timeout: 1_000 })
  onTestFinished(async () => {
    servers.stop()
    await api.close()
  })
  return { api, url, registry, servers }
}
