/** Runs with each file of tests that shares a thread with others. Fails where it leaves behind what those would see. */
import { deepStrictEqual } from 'node:assert/strict'
import { defaultRegistry } from '@narthex/core'
import { afterAll, vi } from 'vitest'

const EVENTS = ['exit', 'SIGTERM', 'SIGINT', 'unhandledRejection', 'uncaughtException', 'warning']

/** `reflect-metadata` brings more, and stays. */
const reflecting = Object.keys(Object.getOwnPropertyDescriptors(Reflect)) as (keyof typeof Reflect)[]
const before = await state()

afterAll(async () => deepStrictEqual(await state(), before))

async function state(): Promise<object> {
  return {
    page: await defaultRegistry.metrics(),
    variables: Object.keys(process.env).sort(),
    listeners: EVENTS.map((event) => [event, process.listenerCount(event)]),
    emitWarning: process.emitWarning,
    fetch: globalThis.fetch,
    reflecting: reflecting.map((key) => [key, Reflect[key]]),
    hasFakeTimers: vi.isFakeTimers(),
  }
}
