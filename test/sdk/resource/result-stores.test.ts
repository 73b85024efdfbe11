import { describe, expect, test } from 'vitest'
import { createMemoryResultStore } from '../../../src/sdk/resource/memory-result-store.ts'
import { answerOf, resultStoreContract } from './result-store-contract.ts'

// On Redis and PostgreSQL: test/pg/result-stores.test.ts.
resultStoreContract('memory', async () => ({
  store: createMemoryResultStore(),
  outlivesProcesses: false,
  close: async () => {},
}))

describe('createMemoryResultStore', () => {
  const at = (second: number) => new Date(second * 1000)
  const call = (key: string, until = 1_100) => ({ key, fingerprint: 'f', until })

  test('full -> refuses, forgets nothing, and takes again what has room once something has ended', async () => {
    const store = createMemoryResultStore({ maxCalls: 2 })
    const run = (key: string, now: number, until?: number) =>
      store.once(call(key, until), at(now), async () => answerOf(key))
    expect([await run('a', 1_000), await run('b', 1_000, 1_200)]).toEqual([{ kind: 'ran' }, { kind: 'ran' }])
    expect(await run('c', 1_000)).toEqual({ kind: 'full' })
    expect((await run('a', 1_100)).kind).toBe('kept')
    expect(await run('c', 1_100.9)).toEqual({ kind: 'full' })
    expect(await run('c', 1_101, 1_300)).toEqual({ kind: 'ran' })
    expect((await run('b', 1_101)).kind).toBe('kept')
    expect(await store.find(call('a'), at(1_101))).toBeUndefined()
  })

  test('answers beyond the bytes there are for them are not kept; room comes back with the end of others', async () => {
    const store = createMemoryResultStore({ maxBytes: 200 })
    const large = answerOf('x'.repeat(100))
    const run = (key: string, now: number, until?: number) => store.once(call(key, until), at(now), async () => large)
    await run('a', 1_000)
    await run('b', 1_000, 1_200)
    expect((await run('a', 1_000)).kind).toBe('kept')
    expect(await run('b', 1_000)).toEqual({ kind: 'unkept' })
    await run('c', 1_101, 1_300)
    expect((await run('c', 1_101)).kind).toBe('kept')
    expect(await run('b', 1_101)).toEqual({ kind: 'unkept' })
  })

  test.each([{ maxCalls: 0 }, { maxBytes: -1 }, { maxAnswerBytes: 1.5 }])('%o is a fault', (options) => {
    expect(() => createMemoryResultStore(options)).toThrow(RangeError)
  })
})
