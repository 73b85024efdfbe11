import type { Target } from '../harness/connection.ts'
import { type MeasuredProcess, startMeasured } from '../harness/measured-process.ts'

/** A server that runs beside ours. */
export interface OtherServer {
  readonly process: MeasuredProcess
  readonly target: Target
  readonly stop: () => Promise<void>
}

export interface LimitOptions {
  readonly verifies: number
  readonly signs: number
  readonly responseBytes: number
  /** Where it writes a row for each request; absent: nowhere. */
  readonly databaseUrl?: string
  /** Whether it may be held to one core. Default: yes. */
  readonly isPinnable?: boolean
}

/** Starts the limit server. */
export async function startLimit(options: LimitOptions): Promise<OtherServer> {
  const { verifies, signs, responseBytes, databaseUrl, isPinnable = true } = options
  const numbers = [verifies, signs, responseBytes].map(String)
  return startOther('limit-server', databaseUrl === undefined ? numbers : [...numbers, databaseUrl], isPinnable)
}

/** Starts a program of this folder that says `listening on <port>`. */
export async function startOther(name: string, args: readonly string[] = [], isPinnable = true): Promise<OtherServer> {
  const isReady = (line: string) => line.startsWith('listening on ')
  const process = await startMeasured([`.bench/test/bench/servers/${name}.js`, ...args], {}, isReady, { isPinnable })
  const port = Number(process.readyLine.slice('listening on '.length))
  return { process, target: { host: '127.0.0.1', port }, stop: process.stop }
}
