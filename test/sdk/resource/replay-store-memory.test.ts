import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createMemoryReplayStore } from '../../../src/sdk/resource/memory-replay-store.ts'

const ENTRIES = 1_000_000
const MAX_BYTES = 64

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What this process holds, on the heap and beside it. Unit: bytes. */
function held(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test(`${ENTRIES} live marks -> at most ${MAX_BYTES} bytes each, and what has ended is given back`, () => {
  const store = createMemoryReplayStore({ maxEntries: ENTRIES })
  const before = held()
  const key = (i: number) => `${'abcdefghijklmnopqrstuvwxyz'.repeat(2).slice(0, 36)}${String(i).padStart(7, '0')}`
  let marked = 0
  for (let i = 0; i < ENTRIES; i++) {
    if (store.mark([{ key: key(i), until: 1_100 + (i % 300) }], new Date(1_000_000)) === 'marked') marked++
  }
  expect(marked).toBe(ENTRIES)
  expect(store.mark([{ key: 'one more', until: 1_100 }], new Date(1_000_000))).toBe('full')
  const full = (held() - before) / ENTRIES
  console.log(`replay store in memory: ${full.toFixed(1)} bytes a mark`)
  expect(full).toBeLessThanOrEqual(MAX_BYTES)
  for (let i = 0; i < ENTRIES; i += 97) {
    const marks = [{ key: key(i), until: 2_000 }]
    expect(store.mark(marks, new Date(1_000_000))).toEqual({ seen: key(i) })
  }

  for (let second = 1_400; second < 1_440; second++) {
    expect(store.mark([{ key: `${second}`, until: 1_500 }], new Date(second * 1_000))).toBe('marked')
  }
  expect((held() - before) / ENTRIES).toBeLessThan(1)
})
