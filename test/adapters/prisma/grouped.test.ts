import { describe, expect, test } from 'vitest'
import { DatabaseQueueFull, grouped } from '../../../src/adapters/prisma/grouped.ts'

class Away extends Error {}

/** Asks that answer a number with its double, and note what went together. */
function asker(fails: (questions: readonly number[], nth: number) => Error | undefined) {
  const asked: (readonly number[])[] = []
  const settled: number[] = []
  const group = grouped<number, number>({
    isUnavailable: (error) => error instanceof Away,
    askAll: async (questions) => {
      asked.push(questions)
      await new Promise(setImmediate)
      const error = fails(questions, asked.length)
      if (error !== undefined) throw error
      return questions.map((question) => 2 * question)
    },
    afterRejection: async (question) => {
      settled.push(question)
    },
  })
  return { ...group, asked, settled }
}

const said = (results: readonly PromiseSettledResult<number>[]) =>
  results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.constructor.name))

describe('questions that go together', () => {
  test('come with one turn of the event loop after the other', async () => {
    const { ask, asked, drain } = asker(() => undefined)
    // Not for long: on a machine that stalls, one of many tries may find the first gone already.
    for (let n = 0; n < 50 && !asked.some((questions) => questions.length === 2); n++) {
      const first = ask(1)
      await new Promise(setImmediate)
      await Promise.all([first, ask(2)])
    }
    expect(asked).toContainEqual([1, 2])
    // Where nobody else comes, one is not kept waiting: a turn in which nothing happens is enough.
    const alone = ask(3)
    for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate)
    expect(asked.at(-1)).toEqual([3])
    await alone
    await drain()
  })

  test('one that the database rejects is felt by its own asker alone, when what it left to do is done', async () => {
    const { ask, asked, settled, drain } = asker((questions) => (questions.includes(3) ? new Error('no') : undefined))
    const results = await Promise.allSettled([1, 2, 3, 4].map(ask))
    expect(said(results)).toEqual([2, 4, 'Error', 8])
    expect(asked).toEqual([[1, 2, 3, 4], [1], [2], [3], [4]])
    expect(settled).toEqual([3])
    await drain()
  })

  test('the database goes away while they are asked one by one: nobody waits for it after the one who found out', async () => {
    const { ask, asked, settled, waiting } = asker((_, nth) => (nth === 1 ? new Error('no') : new Away()))
    const first = [1, 2, 3, 4].map(ask)
    const results = await Promise.allSettled(first)
    expect(said(results)).toEqual(['Away', 'Away', 'Away', 'Away'])
    expect(asked).toEqual([[1, 2, 3, 4], [1]])
    expect([settled, waiting()]).toEqual([[], 0])
  })

  test('a line that is full refuses the next one at once, and the others have their own answers', async () => {
    const { ask, drain, waiting } = asker(() => undefined)
    const all = Array.from({ length: 10_000 }, (_, n) => ask(n))
    await expect(ask(10_000)).rejects.toThrow(DatabaseQueueFull)
    expect(waiting()).toBe(10_000)
    await drain()
    expect(await Promise.all(all)).toEqual(Array.from({ length: 10_000 }, (_, n) => 2 * n))
  })
})
