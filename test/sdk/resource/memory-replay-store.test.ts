import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryReplayStore } from '../../../src/sdk/resource/memory-replay-store.ts'

const at = (seconds: number) => new Date(seconds * 1000)

describe('createMemoryReplayStore', () => {
  test('the first is marked, the second seen, until it may be forgotten', () => {
    const store = createMemoryReplayStore()
    const marks = [{ key: 'a', until: 160 }]
    expect(store.mark(marks, at(100))).toBe('marked')
    for (const now of [100, 159, 160, 160.9]) expect(store.mark(marks, at(now))).toEqual({ seen: 'a' })
    expect(store.mark([{ key: 'a', until: 300 }], at(161))).toBe('marked')
  })

  test('all or none: when one was seen the others are not marked', () => {
    const store = createMemoryReplayStore()
    store.mark([{ key: 'proof', until: 200 }], at(100))
    const both = [
      { key: 'token', until: 200 },
      { key: 'proof', until: 200 },
    ]
    expect(store.mark(both, at(100))).toEqual({ seen: 'proof' })
    expect(store.mark([{ key: 'token', until: 200 }], at(100))).toBe('marked')
  })

  test('one key twice in one call is a replay of itself', () => {
    const twice = [
      { key: 'a', until: 200 },
      { key: 'a', until: 300 },
    ]
    expect(createMemoryReplayStore().mark(twice, at(100))).toEqual({ seen: 'a' })
  })

  test('full -> refuses, keeps what it has, and takes again what has room once something expired', () => {
    const store = createMemoryReplayStore({ maxEntries: 3 })
    const marks = (name: string, until: number) => [
      { key: `${name}1`, until },
      { key: `${name}2`, until },
    ]
    expect(store.mark(marks('a', 110), at(100))).toBe('marked')
    expect(store.mark(marks('b', 500), at(100))).toBe('full')
    expect(store.mark([{ key: 'c', until: 500 }], at(100))).toBe('marked')
    expect(store.mark([{ key: 'd', until: 500 }], at(110))).toBe('full')
    expect(store.mark(marks('a', 110), at(110))).toEqual({ seen: 'a1' })
    expect(store.mark(marks('b', 500), at(111))).toBe('marked')
    expect(store.mark([{ key: 'c', until: 500 }], at(111))).toEqual({ seen: 'c' })
  })

  test('a clock set back makes nothing forgotten', () => {
    const store = createMemoryReplayStore()
    store.mark([{ key: 'a', until: 1_000 }], at(900))
    expect(store.mark([{ key: 'b', until: 500 }], at(400))).toBe('marked')
    expect(store.mark([{ key: 'b', until: 500 }], at(400))).toEqual({ seen: 'b' })
    expect(store.mark([{ key: 'a', until: 1_000 }], at(400))).toEqual({ seen: 'a' })
  })

  test('answers as a plain list of what is live would', () => {
    const step = fc.record({ key: fc.constantFrom(...'abcdefgh'), life: fc.nat(20), passed: fc.nat(8) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = createMemoryReplayStore({ maxEntries: 5 })
        let [now, live] = [1_000, [] as { key: string; until: number }[]]
        for (const { key, life, passed } of steps) {
          now += passed
          live = live.filter(({ until }) => until >= now)
          const expected = live.some((mark) => mark.key === key) ? { seen: key } : live.length >= 5 ? 'full' : 'marked'
          expect(store.mark([{ key, until: now + life }], at(now))).toEqual(expected)
          if (expected === 'marked') live.push({ key, until: now + life })
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('many marks at once, and clocks that are set back: as the list, too', () => {
    const mark = fc.record({ key: fc.constantFrom(...'abcdefghijkl'), life: fc.nat(20) })
    const step = fc.record({
      marks: fc.array(mark, { minLength: 1, maxLength: 3 }),
      moved: fc.integer({ min: -5, max: 8 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = createMemoryReplayStore({ maxEntries: 6 })
        let [now, latest, live] = [1_000, 0, [] as { key: string; until: number }[]]
        for (const { marks, moved } of steps) {
          now += moved
          latest = Math.max(latest, now)
          live = live.filter(({ until }) => until >= latest)
          const given = marks.map(({ key, life }) => ({ key, until: now + life }))
          const seen = given.find(
            ({ key }, i) => live.some((one) => one.key === key) || given.slice(0, i).some((one) => one.key === key),
          )
          for (const { key } of given) expect(store.has?.(key, at(now))).toBe(live.some((one) => one.key === key))
          const expected = seen ? { seen: seen.key } : live.length + given.length > 6 ? 'full' : 'marked'
          expect(store.mark(given, at(now))).toEqual(expected)
          if (expected === 'marked') live.push(...given.map((one) => ({ ...one, until: Math.max(one.until, latest) })))
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('20,000 marks, live and ended: none is forgotten, none is taken for another', () => {
    const store = createMemoryReplayStore()
    let wrong = 0
    for (let i = 0; i < 20_000; i++) {
      const now = 1_000 + Math.floor(i / 100)
      const until = now + (i % 50)
      if (store.mark([{ key: `k${i}`, until }], at(now)) !== 'marked') wrong++
      const earlier = i - (i % 997)
      const isLive = 1_000 + Math.floor(earlier / 100) + (earlier % 50) >= now
      if (isLive && store.mark([{ key: `k${earlier}`, until }], at(now)) === 'marked') wrong++
    }
    expect(wrong).toBe(0)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a mark that does not say until when (%d) is a fault', (until) => {
    expect(() => createMemoryReplayStore().mark([{ key: 'a', until }], at(100))).toThrow(RangeError)
  })

  test('a bound that cannot hold one request is a fault', () => {
    for (const maxEntries of [0, 1, 2.5, Number.NaN]) expect(() => createMemoryReplayStore({ maxEntries })).toThrow()
  })
})
