import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type MetricsOfWorkers, type MetricsSaid, metricsOfWorkers } from './metrics-of-workers.ts'

/** A worker that has lived this long was well: the next one that dies is replaced at once. Unit: ms. */
const SETTLED_MS = 10_000
const FIRST_DELAY_MS = 200
const LONGEST_DELAY_MS = 30_000
/** Starts that fail one after the other, with no worker left that serves, before the primary gives up. */
const MAX_FAILED_STARTS = 6
/** How much longer than it was given a worker may take to drain before it is ended. Unit: ms. */
const DRAIN_GRACE_MS = 5_000

/** What a worker tells the primary once it listens. */
export interface WorkerListens {
  readonly kind: 'listens'
  readonly issuer: string
  readonly newCredentialPath: string | undefined
}

/** What the primary tells a worker whose successor listens. */
export interface WorkerRetires {
  readonly kind: 'retires'
}

export interface WorkersOptions {
  /** How many are kept running. */
  readonly count: number
  /** How long a worker that leaves may take to finish what is in flight. Unit: seconds. */
  readonly drainSeconds: number
  /** Takes one line for a person. */
  readonly complain: (line: string) => void
}

export interface Workers {
  /**
   * What the first worker said, when all listen; undefined when it could not start: it has said why. Not settled when they were told
   * to stop before.
   */
  readonly started: Promise<WorkerListens | undefined>
  /** What all of them measure, added up. */
  readonly metricsText: () => Promise<string>
  /**
   * Replaces every worker, one after the other: the new one listens before the old one takes no more. Asked again meanwhile, there is
   * one more round, however often.
   */
  readonly restart: () => Promise<void>
  /** Drains all, those that are only starting as well. Answers 0 when every worker ended in time; 1 when one had to be killed. */
  readonly stop: () => Promise<number>
}

interface Member {
  readonly worker: Worker
  readonly startedAt: number
  /** How the process ended. */
  readonly ended: Promise<string>
  /** What it said when it listened; undefined when it ended before. */
  readonly listens: Promise<WorkerListens | undefined>
  isListening: boolean
  /** Its end is no accident: it was told to leave, or it is a successor that the present worker does not depend on. */
  isExpectedToEnd: boolean
}

/**
 * Starts `count` processes of this program on one port, and keeps that many running.
 *
 * This process, the primary, accepts connections and hands them round; it opens no database and no key. The first worker starts
 * alone: what is wrong is said once, and what is made at a first start is made by it. Between machines the database's lock decides.
 *
 * @param giveUp called once with one line when no worker can be started any more; every worker has ended then.
 */
export function startWorkers(
  { count, drainSeconds, complain }: WorkersOptions,
  giveUp: (line: string) => void,
): Workers {
  // The program itself, not what set it up: a worker that is started later must not build anything.
  cluster.setupPrimary({ exec: fileURLToPath(new URL('./main.js', import.meta.url)), args: [] })
  const members = new Set<Member>()
  const metrics: MetricsOfWorkers = metricsOfWorkers(() => [...members].map(({ worker }) => measured(worker)))
  let isStarted = false
  let isStopping = false
  let failedStarts = 0
  let refilling: NodeJS.Timeout | undefined
  let refillsAt = 0
  let nextRound: Promise<void> | undefined

  const launch = (isSuccessor = false): Member => {
    const worker = cluster.fork()
    const ended = new Promise<string>((resolve) => {
      worker.once('exit', (code, signal) => resolve(`${signal ?? `exit code ${code}`}`))
      // A program that cannot be run, or no process to be had: nothing will exit then.
      worker.on('error', ({ message }) => worker.process.pid === undefined && resolve(message))
    })
    const said = new Promise<WorkerListens>((resolve) => {
      worker.on('message', (message: WorkerListens | MetricsSaid) => {
        if (message?.kind === 'listens') resolve(message)
        if (message?.kind === 'metrics') metrics.said(measured(worker), message)
      })
    })
    const listens = Promise.race([said, ended.then(() => undefined)])
    const member: Member = {
      ...{ worker, ended, listens, startedAt: performance.now() },
      isListening: false,
      isExpectedToEnd: isSuccessor,
    }
    members.add(member)
    listens.then((message) => {
      member.isListening = message !== undefined
    })
    ended.then((how) => onEnd(member, how))
    return member
  }

  /** Those that serve or are on their way to, and are to stay. */
  const staying = () => [...members].filter(({ isExpectedToEnd }) => !isExpectedToEnd)

  const onEnd = (member: Member, how: string) => {
    members.delete(member)
    metrics.ended(measured(member.worker))
    if (isStopping || member.isExpectedToEnd) return
    const isWell = member.isListening && performance.now() - member.startedAt >= SETTLED_MS
    failedStarts = isWell ? 0 : failedStarts + 1
    const isAnyoneThere = [...members].some(({ isListening }) => isListening)
    if (failedStarts >= MAX_FAILED_STARTS && !isAnyoneThere) {
      isStopping = true
      void stop().then(() =>
        giveUp(`${failedStarts} workers ended one after the other and none is left (${how}); giving up`),
      )
      return
    }
    const delay = failedStarts === 0 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (failedStarts - 1), LONGEST_DELAY_MS)
    complain(
      `worker ${member.worker.process.pid ?? 'without a process'} ended (${how}); another one starts${delay > 0 ? ` in ${delay} ms` : ''}`,
    )
    refillIn(delay)
  }

  /** The sooner time counts: who was well does not wait as long as those that die again and again. */
  const refillIn = (delay: number) => {
    const at = performance.now() + delay
    if (refilling !== undefined && refillsAt <= at) return
    clearTimeout(refilling)
    refillsAt = at
    refilling = setTimeout(refill, delay)
  }

  const refill = () => {
    refilling = undefined
    try {
      while (!isStopping && staying().length < count) {
        const member = launch()
        void member.listens.then((message) => {
          if (isStarted && message !== undefined) complain(`worker ${member.worker.process.pid} listens`)
        })
      }
    } catch (error) {
      complain(`no worker can be started (${(error as Error).message}); it is tried again`)
      refillIn(LONGEST_DELAY_MS)
    }
  }

  const endWithin = async (member: Member, milliseconds: number): Promise<boolean> => {
    const timer = new AbortController()
    const isLate = await Promise.race([
      member.ended.then(() => false),
      sleep(milliseconds, true, { signal: timer.signal }).catch(() => false),
    ])
    timer.abort()
    if (isLate) {
      complain(`worker ${member.worker.process.pid} did not end in time and is killed`)
      member.worker.process.kill('SIGKILL')
      await member.ended
    }
    return !isLate
  }

  const drainMs = drainSeconds * 1_000 + DRAIN_GRACE_MS

  const replaceAll = async () => {
    let replaced = 0
    for (const old of staying()) {
      const successor = launch(true)
      const isThere = (await successor.listens) !== undefined
      if (isStopping) return
      if (!isThere) {
        complain('a new worker could not start; the present ones go on')
        return
      }
      // The present one may have died meanwhile, and have been replaced: then it is the successor that is one too many.
      const [stays, leaves] = staying().length < count || members.has(old) ? [successor, old] : [old, successor]
      stays.isExpectedToEnd = false
      leaves.isExpectedToEnd = true
      const retires: WorkerRetires = { kind: 'retires' }
      // A worker that has just ended cannot be told.
      if (members.has(leaves)) leaves.worker.send(retires, () => {})
      await endWithin(leaves, drainMs)
      // Nobody is started any more for one that was to end.
      if (isStopping) return
      replaced += 1
    }
    complain(`${replaced} workers were replaced`)
  }

  const stop = async () => {
    isStopping = true
    clearTimeout(refilling)
    // One that has not begun to listen dies of it, and has served nobody.
    for (const { worker } of members) worker.process.kill('SIGTERM')
    const inTime = await Promise.all([...members].map((member) => endWithin(member, drainMs)))
    return inTime.every(Boolean) ? 0 : 1
  }

  const start = async (): Promise<WorkerListens | undefined> => {
    const first = await launch(true).listens
    if (isStopping) return never
    if (first === undefined) return undefined
    for (const member of members) member.isExpectedToEnd = false
    refill()
    await Promise.all(staying().map(({ listens }) => listens))
    if (isStopping) return never
    isStarted = true
    return first
  }

  const started = start()
  let round: Promise<unknown> = started
  return {
    started,
    metricsText: metrics.text,
    stop,
    restart: () => {
      // What has changed since the round under way began is in the workers of the next one.
      nextRound ??= round.then(() => {
        nextRound = undefined
        if (isStopping) return undefined
        return replaceAll().catch(({ message }: Error) => complain(`not all workers were replaced: ${message}`))
      })
      round = nextRound
      return nextRound
    },
  }
}

const never = new Promise<never>(() => {})

/** A worker that has just ended cannot be asked. */
const measured = (worker: Worker) => ({
  id: worker.id,
  send: (message: object) => worker.isConnected() && worker.send(message, () => {}),
})
