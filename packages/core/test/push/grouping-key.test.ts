import { MetricError } from '@narthex/core'
import { deleteFromGateway, type GroupingKey } from '@narthex/core/push'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conformanceCases } from '../conformance.ts'
import { groupPath } from '../../src/push/grouping-key.ts'

interface SplitCase {
  readonly name: string
  readonly path: string
  readonly labels: Readonly<Record<string, string>>
}

describe('the path of a group', () => {
  it.each<[string, string, GroupingKey, string]>([
    ['a job alone', 'backup', {}, '/metrics/job/backup'],
    ['labels in the order of the key', 'a', { z: 1, b: true }, '/metrics/job/a/z/1/b/true'],
    ['a slash', 'a', { path: '/var/tmp' }, '/metrics/job/a/path@base64/L3Zhci90bXA'],
    ['a slash in the job', 'a/b', {}, '/metrics/job@base64/YS9i'],
    ['an empty value', 'a', { b: '' }, '/metrics/job/a/b@base64/='],
    ['a dot, which URLs resolve', '.', { b: '..' }, '/metrics/job@base64/Lg/b@base64/Li4'],
    ['dots among others', 'a', { b: '1.2', c: '...' }, '/metrics/job/a/b/1.2/c/...'],
    ['a space, never as a plus', 'a', { b: 'c d+e' }, '/metrics/job/a/b/c%20d%2Be'],
    ['a percent sign', 'a', { b: '%2F' }, '/metrics/job/a/b/%252F'],
    ['UTF-8', 'a', { b: 'größe' }, '/metrics/job/a/b/gr%C3%B6%C3%9Fe'],
    ['a lone surrogate', 'a', { b: '\ud800' }, '/metrics/job/a/b/%EF%BF%BD'],
    ['NUL', 'a', { b: '\0' }, '/metrics/job/a/b/%00'],
    ['a UTF-8 name', 'a', { 'b.c': 'd' }, '/metrics/job/a/U__b_2e_c/d'],
    ['a name with a colon', 'a', { 'b:c': 'd' }, '/metrics/job/a/U__b_3a_c/d'],
  ])('carries %s', (_, job, groupingKey, path) => {
    expect(groupPath(job, groupingKey)).toBe(path)
  })

  it('is read back by the rules of the gateway, whatever the values', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/).filter((label) => label !== 'job')
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[./+% =@]{0,4}$/))
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.dictionary(name, value), (job, groupingKey) => {
        // As a URL carries it: what `new URL` changes is lost.
        const { pathname } = new URL(`http://gateway${groupPath(job, groupingKey)}`)
        expect(split(pathname)).toEqual({ job: job.toWellFormed(), ...groupingKey })
      }),
    )
  })

  it('says what the conformance data read from their paths', (context) => {
    const cases = conformanceCases<SplitCase>('pushgateway/pushgateway_split_labels.json', context)
    for (const { labels, path } of cases) {
      expect(groupPath('a', labels).replace('/metrics/job/a', '')).toBe(path.replaceAll('=', ''))
    }
    expect(cases).toHaveLength(6)
  })

  it.each<[string, unknown, unknown, string]>([
    ['an empty job', '', {}, 'expected `job` to be a non-empty string, got `` (string)'],
    ['no job', undefined, {}, 'expected `job` to be a non-empty string, got `undefined`'],
    ['job as a label', 'a', { job: 'b' }, 'got `job` (string)'],
    ['a reserved label', 'a', { __name__: 'b' }, 'without a leading `__`'],
    ['an empty label', 'a', { '': 'b' }, 'expected `groupingKey` to hold label names'],
    ['an array', 'a', ['b'], 'expected `groupingKey` to be an object'],
    ['null as a value', 'a', { b: null }, 'expected `b` to be a string, a number or a boolean, got `null`'],
  ])('refuses %s', async (_, job, groupingKey, message) => {
    const deleted = deleteFromGateway('localhost:1', { job: job as string, groupingKey: groupingKey as GroupingKey })
    const error = await deleted.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(MetricError)
    expect((error as Error).message).toContain(message)
  })
})

/** What prometheus/pushgateway does with a path ("URL"). */
function split(pathname: string): Record<string, string> {
  const [, metrics, ...parts] = pathname.split('/')
  expect(metrics).toBe('metrics')
  expect(parts.length % 2).toBe(0)
  const labels: Record<string, string> = {}
  for (let index = 0; index < parts.length; index += 2) {
    const [name = '', base64] = (parts[index] as string).split('@')
    const value = decodeURIComponent(parts[index + 1] as string)
    labels[name] = base64 === undefined ? value : Buffer.from(value.replace(/=+$/, ''), 'base64url').toString()
  }
  return labels
}
