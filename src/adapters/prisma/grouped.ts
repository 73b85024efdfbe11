/** Questions of one statement at most; more wait for the next. */
const MAX_GROUP = 128
/**
 * Turns of the event loop that a statement waits at most for more questions. A turn is short when little is to do, and a statement
 * costs some ten microseconds of system calls, however few questions are in it.
 */
const MAX_TURNS = 8
/** Nor does the first in line wait longer than this for others: under load a turn is long. Unit: ms. */
const MAX_GATHER_MS = 3
/** Questions that may wait; one more is refused at once, as if the database were away. */
const MAX_WAITING = 10_000

/** The database does not keep up: it was not asked this question. */
export class DatabaseQueueFull extends Error {
  override readonly name = 'DatabaseQueueFull'
}

/** Asks the database one question of many. */
export interface Grouped<Question, Answer> {
  readonly ask: (question: Question) => Promise<Answer>
  /** Waits until every question has its answer. */
  readonly drain: () => Promise<void>
  /** Questions that wait for the next statement. */
  readonly waiting: () => number
  /** How long the first has waited, where more wait than the next statement takes; else 0. Unit: ms. */
  readonly behindMs: () => number
}

export interface GroupedParts<Question, Answer> {
  /** Asks them all in one statement, or one transaction. @returns the answers in the order of the questions. */
  readonly askAll: (questions: readonly Question[]) => Promise<readonly Answer[]>
  /** Whether the database was away, so that nobody knows what became of the questions: none is repeated then. */
  readonly isUnavailable: (error: unknown) => boolean
  /** What is still to be done for a question that the database rejects, before its asker is told. */
  readonly afterRejection?: (question: Question) => Promise<void>
}

interface Waiting<Question, Answer> {
  readonly question: Question
  /** As `performance.now()` tells it. */
  readonly since: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Concurrent questions share one round trip: they are collected while a statement is under way, then go together.
 *
 * One that the database rejects must be felt by its own asker only, so a group that fails as a whole is asked again one by
 * one: `askAll` must have done nothing then.
 */
export function grouped<Question, Answer>({
  askAll,
  isUnavailable,
  afterRejection,
}: GroupedParts<Question, Answer>): Grouped<Question, Answer> {
  const waiting: Waiting<Question, Answer>[] = []
  let flushing: Promise<void> | undefined

  /** @returns the error by which the database turned out to be away. */
  const flush = async (group: readonly Waiting<Question, Answer>[]): Promise<unknown> => {
    try {
      const answers = await askAll(group.map(({ question }) => question))
      if (answers.length !== group.length) throw new Error('the database did not answer every question')
      for (const [n, { resolve }] of group.entries()) resolve(answers[n] as Answer)
      return undefined
    } catch (error) {
      if (isUnavailable(error)) {
        // Whoever waits would only wait for the same: nobody is served by standing in line for a database that is away.
        for (const { reject } of [...group, ...waiting.splice(0)]) reject(error)
        return error
      }
      const [one] = group
      if (group.length === 1 && one !== undefined) {
        await afterRejection?.(one.question).catch(() => undefined)
        one.reject(error)
        return undefined
      }
    }
    let away: unknown
    for (const one of group) {
      // It may go away in between: the rest of the group would wait for that one after the other.
      if (away === undefined) away = await flush([one])
      else one.reject(away)
    }
    return away
  }
  /** Waits while more arrive with every turn of the event loop: they go together. */
  const gather = async () => {
    const isWorthIt = (seen: number) =>
      waiting.length > seen &&
      waiting.length < MAX_GROUP &&
      performance.now() - (waiting[0]?.since ?? Number.POSITIVE_INFINITY) < MAX_GATHER_MS
    await new Promise(setImmediate)
    for (let [turn, seen] = [1, 0]; turn < MAX_TURNS && isWorthIt(seen); turn++) {
      seen = waiting.length
      await new Promise(setImmediate)
    }
  }
  const flushAll = async () => {
    await gather()
    while (waiting.length > 0) {
      await flush(waiting.splice(0, MAX_GROUP))
      await gather()
    }
    flushing = undefined
  }
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= MAX_WAITING) {
          return reject(new DatabaseQueueFull('too many requests wait for the database'))
        }
        waiting.push({ question, since: performance.now(), resolve, reject })
        flushing ??= flushAll()
      }),
    drain: async () => {
      while (flushing !== undefined) await flushing
    },
    waiting: () => waiting.length,
    behindMs: () => (waiting.length > MAX_GROUP ? performance.now() - (waiting[0]?.since ?? 0) : 0),
  }
}
