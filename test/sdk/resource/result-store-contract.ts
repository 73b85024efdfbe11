import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KeptAnswer } from '../../../src/sdk/resource/kept-answer.ts'
import type { Call, OnceOutcome, ResultStore } from '../../../src/sdk/resource/result-store.ts'

/** A store as the contract wants it: answers of up to 64 KiB, calls of up to 60 seconds. */
export interface ResultStoreUnderTest {
  readonly store: ResultStore
  /** Another one on the same calls, as another process has it; undefined where calls belong to one process. */
  readonly other?: ResultStore
  /** Whether a call of a process that died is known as such. In one process there is nobody left to ask. */
  readonly outlivesProcesses: boolean
  readonly close: () => Promise<void>
}

export const answerOf = (body: Uint8Array | string, status = 200): KeptAnswer => ({
  status,
  headers: { 'content-type': 'text/plain', location: '/made/1' },
  body: Buffer.from(body),
})

/** A promise, and what settles it. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let settle: (value: T) => void = () => {}
  const promise = new Promise<T>((resolve) => {
    settle = resolve
  })
  return { promise, resolve: (value) => settle(value) }
}

/** What every result store keeps: the same sentences for all of them. Times are near the real one, for stores with a clock of their own. */
export function resultStoreContract(name: string, open: () => Promise<ResultStoreUnderTest>): void {
  describe(`result store: ${name}`, () => {
    let under: ResultStoreUnderTest
    let store: ResultStore
    let other: ResultStore
    beforeAll(async () => {
      under = await open()
      store = under.store
      other = under.other ?? under.store
    })
    afterAll(() => under?.close())

    const second = Math.floor(Date.now() / 1000)
    const now = new Date(second * 1000)
    const later = (seconds: number) => new Date((second + seconds) * 1000)
    const newCall = (change: Partial<Call> = {}): Call => ({
      key: randomUUID(),
      fingerprint: 'same',
      until: second + 600,
      ...change,
    })
    const never = async (): Promise<never> => {
      throw new Error('this effect must not run')
    }

    test.each([
      { what: 'text', body: Buffer.from('žluťoučký kůň') },
      { what: 'bytes that are no text', body: Buffer.from([0, 255, 128, 10]) },
      { what: 'nothing', body: Buffer.alloc(0) },
      { what: 'all that may be kept', body: randomBytes(64 * 1024 - 100) },
    ])('runs, and the retry gets the answer that was kept: $what', async ({ body }) => {
      const call = newCall()
      expect(await store.find(call, now)).toBeUndefined()
      expect(await store.once(call, now, async () => answerOf(body, 201))).toEqual({ kind: 'ran' })
      for (const kept of [await store.once(call, now, never), await other.once(call, later(59), never)]) {
        expect(kept.kind).toBe('kept')
        const { answer } = kept as { answer: KeptAnswer }
        expect({ ...answer, body: Buffer.from(answer.body) }).toEqual({ ...answerOf(body, 201), body })
      }
      expect((await other.find(call, now))?.kind).toBe('kept')
    })

    test('another call with the same key gets nothing, and does not run', async () => {
      const call = newCall()
      await store.once(call, now, async () => answerOf('secret'))
      const foreign = { ...call, fingerprint: 'other' }
      expect(await other.once(foreign, now, never)).toEqual({ kind: 'foreign' })
      expect(await other.find(foreign, now)).toEqual({ kind: 'foreign' })
    })

    test('while it runs, a retry hears so', async () => {
      const call = newCall()
      const { promise, resolve } = deferred<KeptAnswer>()
      const begun = deferred<void>()
      const first = store.once(call, now, () => {
        begun.resolve()
        return promise
      })
      await begun.promise
      expect(await other.once(call, now, never)).toEqual({ kind: 'running' })
      expect(await other.find(call, now)).toEqual({ kind: 'running' })
      resolve(answerOf('done'))
      expect(await first).toEqual({ kind: 'ran' })
      expect((await other.once(call, now, never)).kind).toBe('kept')
    })

    test('200 at once -> one runs', async () => {
      const call = newCall()
      let runs = 0
      const outcomes: OnceOutcome[] = await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          (i % 2 === 0 ? store : other).once(call, now, async () => {
            runs++
            return answerOf('done')
          }),
        ),
      )
      expect(runs).toBe(1)
      expect(outcomes.filter(({ kind }) => kind === 'ran')).toHaveLength(1)
      expect(outcomes.filter(({ kind }) => kind !== 'ran' && kind !== 'running' && kind !== 'kept')).toEqual([])
    })

    test('a call that failed may have done something: it never runs again', async () => {
      const call = newCall()
      const failure = new Error('half way')
      const failed = store.once(call, now, async () => {
        throw failure
      })
      await expect(failed).rejects.toBe(failure)
      expect(await other.once(call, now, never)).toEqual({ kind: 'unfinished' })
      expect(await other.find(call, now)).toEqual({ kind: 'unfinished' })
    })

    test.each([
      { what: 'larger than 64 KiB', answer: answerOf(randomBytes(64 * 1024 + 1)) },
      { what: 'of a kind that cannot be kept', answer: undefined },
    ])('an answer $what is not kept, and the call does not run again', async ({ answer }) => {
      const call = newCall()
      expect(await store.once(call, now, async () => answer)).toEqual({ kind: 'ran' })
      expect(await other.once(call, now, never)).toEqual({ kind: 'unkept' })
    })

    test('a call whose process died: running for as long as it may run, then unfinished, never run again', async () => {
      const call = newCall()
      const begun = deferred<void>()
      void store.once(call, now, () => {
        begun.resolve()
        return new Promise(() => {})
      })
      await begun.promise
      expect(await other.once(call, later(59), never)).toEqual({ kind: 'running' })
      const kind = under.outlivesProcesses ? 'unfinished' : 'running'
      expect(await other.once(call, later(60), never)).toEqual({ kind })
      expect(await other.find(call, later(599))).toEqual({ kind })
    })

    test('a call that does not say until when is a fault, and does not run', async () => {
      await expect(store.once(newCall({ until: Number.NaN }), now, never)).rejects.toThrow(RangeError)
    })
  })
}
