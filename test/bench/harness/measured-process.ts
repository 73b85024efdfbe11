import { type ChildProcess, fork, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Sample } from './interleave.ts'

/** A server under measurement: a process of its own, whose CPU time the operating system counts. */
export interface MeasuredProcess {
  /** What it printed when it was ready. */
  readonly readyLine: string
  /** CPU time of all its threads so far, user and system. Unit: microseconds. */
  readonly cpuMicroseconds: () => number
  /** What it has in memory. Unit: bytes. */
  readonly residentBytes: () => number
  readonly stop: () => Promise<void>
}

const TASKSET = '/usr/bin/taskset'
let isPinned = false

/** From now on servers run on the first core; keeps this process off it. Where cores cannot be chosen nothing is done. */
export function pinGenerator(): void {
  isPinned = existsSync(TASKSET) && cpus().length > 1
  if (isPinned) spawn(TASKSET, ['-acp', String(cpus().length - 1), String(process.pid)], { stdio: 'ignore' })
}

/** A command for what nobody measures: it need not share the generator's core. */
export const onAnyCore = (program: readonly string[]): readonly string[] =>
  isPinned ? [TASKSET, '-c', `0-${cpus().length - 1}`, ...program] : program

/** What `flame` asks for: the measured program writes a CPU profile into this folder when it ends. */
const profileFlags = () => {
  const folder = process.env.BENCH_PROFILE
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500']
}

/** Whether a profile is wanted of the program: of ours, not of what it is compared with. */
export interface MeasuredOptions {
  readonly isOurs?: boolean
  /** False: on any core. */
  readonly isPinnable?: boolean
}

/** Starts a Node program and waits for the line that says it serves. */
export async function startMeasured(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  isReady: (line: string) => boolean,
  { isOurs = false, isPinnable = true }: MeasuredOptions = {},
): Promise<MeasuredProcess> {
  const program = [process.execPath, ...(isOurs ? profileFlags() : []), ...args]
  const [command = '', ...rest] = isPinned && isPinnable ? [TASKSET, '-c', '0', ...program] : program
  const env = { ...process.env, ...environment }
  const child = kept(spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] }))
  const complaints: string[] = []
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()))
  const readyLine = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => isReady(line) && resolve(line))
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${complaints.join('')}`)))
  })
  const pid = child.pid ?? 0
  return {
    readyLine,
    cpuMicroseconds: () => cpuMicroseconds(pid),
    residentBytes: () => residentBytes(pid),
    stop: () => stop(child),
  }
}

/** A program that works through what it is told, for what is measured without HTTP; see serve-work.ts. */
export interface MeasuredWorker {
  /** Has it prepare so many pieces of work, then do them; only the doing is measured. */
  readonly measure: (work: string, count: number) => Promise<Sample>
  /** Has it do so many and returns what it says of them. */
  readonly ask: <Answer>(work: string, count: number) => Promise<Answer>
  readonly stop: () => Promise<void>
}

/** Starts a worker: a file of this folder's own, and what it is told. */
export async function startWorker(
  file: string,
  told: object,
  { isOurs = false }: MeasuredOptions = {},
): Promise<MeasuredWorker> {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url))
  const execArgv = ['--expose-gc', ...(isOurs ? profileFlags() : [])]
  const child = kept(fork(path, [JSON.stringify(told)], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
  const answer = () =>
    new Promise<unknown>((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`${file} ended with ${code}`))
      child.once('exit', onExit)
      child.once('message', (message: { readonly error?: string; readonly answer?: unknown }) => {
        child.off('exit', onExit)
        if (message.error === undefined) resolve(message.answer)
        else reject(new Error(`${file}: ${message.error}`))
      })
    })
  const call = (step: string, work: string, count: number) => {
    const answered = answer()
    child.send({ step, work, count })
    return answered
  }
  await answer()
  return {
    async measure(work, count) {
      await call('prepare', work, count)
      const [cpu, start] = [cpuMicroseconds(child.pid ?? 0), performance.now()]
      await call('run', work, count)
      const seconds = (performance.now() - start) / 1_000
      return {
        cpuMicroseconds: (cpuMicroseconds(child.pid ?? 0) - cpu) / count,
        requestsPerSecond: count / seconds,
      }
    },
    async ask<Answer>(work: string, count: number) {
      await call('prepare', work, count)
      return (await call('run', work, count)) as Answer
    },
    stop: () => stop(child),
  }
}

/** Time on a CPU of every thread, as the scheduler counts it: nanoseconds, where /proc/<pid>/stat has hundredths of a second. */
function cpuMicroseconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanoseconds = threads.map((thread) => {
    const [onCpu = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return Number(onCpu)
  })
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1_000
}

function residentBytes(pid: number): number {
  const [, kibibytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1_024
}

const running = new Set<ChildProcess>()

/** Ends what a run that is interrupted would leave behind. */
export const stopMeasured = () => Promise.all([...running].map(stop))

function kept<Child extends ChildProcess>(child: Child): Child {
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}
