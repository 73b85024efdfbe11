import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ReplayStore } from '../../../src/sdk/resource/replay-store.ts'

/** A store as the contract wants it: empty enough that no key of a test was ever used. */
export interface ReplayStoreUnderTest {
  readonly store: ReplayStore
  /** Another one on the same marks, as another process has it; undefined where marks belong to one process. */
  readonly other?: ReplayStore
  readonly close: () => Promise<void>
}

/** What every replay store keeps: the same sentences for all of them. Times are near the real one, for stores with a clock of their own. */
export function replayStoreContract(name: string, open: () => Promise<ReplayStoreUnderTest>): void {
  describe(`replay store: ${name}`, () => {
    let under: ReplayStoreUnderTest
    let store: ReplayStore
    beforeAll(async () => {
      under = await open()
      store = under.store
    })
    afterAll(() => under?.close())

    const second = Math.floor(Date.now() / 1000)
    const now = new Date(second * 1000)
    const key = () => randomUUID()
    const until = second + 600

    test('the first is marked, every other one is seen', async () => {
      const marks = [{ key: key(), until }]
      expect(await store.mark(marks, now)).toBe('marked')
      for (let i = 0; i < 3; i++) expect(await store.mark(marks, now)).toEqual({ seen: marks[0]?.key })
    })

    test('all or nothing, whichever of them was seen', async () => {
      const used = key()
      expect(await store.mark([{ key: used, until }], now)).toBe('marked')
      for (const place of [0, 1, 2]) {
        const fresh = [key(), key()]
        const keys = fresh.toSpliced(place, 0, used)
        const marks = keys.map((one) => ({ key: one, until }))
        expect(await store.mark(marks, now)).toEqual({ seen: used })
        expect(
          await store.mark(
            fresh.map((one) => ({ key: one, until })),
            now,
          ),
        ).toBe('marked')
      }
    })

    test('a store that says what is marked says what it would answer, and marks nothing by it', async () => {
      if (store.has === undefined) return
      const marks = [{ key: key(), until }]
      expect([store.has(marks[0]?.key ?? '', now), store.has(marks[0]?.key ?? '', now)]).toEqual([false, false])
      expect(await store.mark(marks, now)).toBe('marked')
      expect(store.has(marks[0]?.key ?? '', now)).toBe(true)
    })

    test('one key twice in one call is a replay of itself, and nothing is marked', async () => {
      const twice = key()
      const marks = [
        { key: twice, until },
        { key: twice, until: until + 1 },
      ]
      expect(await store.mark(marks, now)).toEqual({ seen: twice })
      expect(await store.mark([{ key: twice, until }], now)).toBe('marked')
    })

    test('a later "until" does not make a mark new', async () => {
      const one = key()
      expect(await store.mark([{ key: one, until }], now)).toBe('marked')
      expect(await store.mark([{ key: one, until: until + 300 }], now)).toEqual({ seen: one })
    })

    test('a mark that should have ended already lives for now', async () => {
      const marks = [{ key: key(), until: second - 100 }]
      expect(await store.mark(marks, now)).toBe('marked')
      expect(await store.mark(marks, now)).toEqual({ seen: marks[0]?.key })
    })

    test('1,000 parallel marks of one token, each with a proof of its own -> one is marked', async () => {
      const token = key()
      const outcomes = await Promise.all(
        Array.from({ length: 1_000 }, (_, i) =>
          (i % 2 === 0 ? store : (under.other ?? store)).mark(
            i % 3 === 0
              ? [
                  { key: token, until },
                  { key: key(), until },
                ]
              : [
                  { key: key(), until },
                  { key: token, until },
                ],
            now,
          ),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'marked')).toHaveLength(1)
      expect(outcomes.filter((outcome) => typeof outcome === 'object' && outcome.seen === token)).toHaveLength(999)
    })

    test('many at once that share keys in different orders: none waits for ever, each key is marked once', async () => {
      const keys = Array.from({ length: 6 }, key)
      const calls = Array.from({ length: 300 }, (_, i) => {
        const [a, b, c] = [keys[i % 6], keys[(i * 5 + 1) % 6], keys[(i * 7 + 3) % 6]]
        return [...new Set([a, b, c])].map((one) => ({ key: one as string, until }))
      })
      const outcomes = await Promise.all(calls.map(async (marks) => ({ marks, outcome: await store.mark(marks, now) })))
      const marked = outcomes
        .filter(({ outcome }) => outcome === 'marked')
        .flatMap(({ marks }) => marks.map((one) => one.key))
      expect(new Set(marked).size).toBe(marked.length)
      expect(marked.length).toBeGreaterThan(0)
    })

    test.each([Number.NaN, Number.POSITIVE_INFINITY])(
      'a mark that does not say until when (%d) is a fault',
      async (bad) => {
        await expect((async () => store.mark([{ key: key(), until: bad }], now))()).rejects.toThrow(RangeError)
      },
    )
  })
}
