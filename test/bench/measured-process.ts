import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A server under measurement: a process of its own, whose CPU time the operating system counts. */
export interface MeasuredProcess {
  /** What it printed when it was ready. */
  readonly readyLine: string
  /** CPU time of all its threads so far, user and system. Unit: microseconds. */
  readonly cpuMicroseconds: () => number
  readonly stop: () => Promise<void>
}

/** Starts a Node program and waits for the line that says it serves. */
export async function startMeasured(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  isReady: (line: string) => boolean,
): Promise<MeasuredProcess> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const complaints: string[] = []
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()))
  const readyLine = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => isReady(line) && resolve(line))
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${complaints.join('')}`)))
  })
  return { readyLine, cpuMicroseconds: () => cpuMicroseconds(child.pid ?? 0), stop: () => stop(child) }
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

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}
