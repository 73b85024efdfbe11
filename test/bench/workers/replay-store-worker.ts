import { createHash } from 'node:crypto'
import { createMemoryReplayStore } from '../../../src/sdk/resource/index.ts'
import { serveWork } from '../harness/serve-work.ts'

let marks = 0

/** Answers with the bytes that each of so many live marks takes. */
serveWork({
  marks: {
    prepare: (count) => {
      marks = count
    },
    run: async () => {
      const store = createMemoryReplayStore({ maxEntries: Math.max(2, marks) })
      const before = inMemory()
      const now = new Date()
      const until = now.getTime() / 1_000 + 600
      for (let n = 0; n < marks; n++) {
        const key = createHash('sha256').update(String(n)).digest('base64url')
        if ((await store.mark([{ key, until }], now)) !== 'marked') throw new Error(`mark ${n} was refused`)
      }
      const after = inMemory()
      // Used once more, or there would be nothing left to weigh.
      const [key, again] = [createHash('sha256').update('0').digest('base64url'), new Date()]
      if ((await store.mark([{ key, until }], again)) === 'marked') throw new Error('a mark was forgotten')
      return (after - before) / marks
    },
  },
})

function inMemory(): number {
  Reflect.get(globalThis, 'gc')?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
