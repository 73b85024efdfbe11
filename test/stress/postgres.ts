import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '../process/server-process.ts'

/** A PostgreSQL of a run's own, to be slowed down, crashed and filled: nobody else's notices. */
export interface Cluster {
  readonly port: number
  readonly url: (database: string) => string
  /** `fast` asks everyone to leave; `immediate` is a crash. */
  readonly stop: (mode: 'fast' | 'immediate') => Promise<void>
  readonly start: () => Promise<void>
  /** A standby, from a copy of this one. */
  readonly standby: (folder: string) => Promise<Standby>
}

export interface Standby extends Cluster {
  readonly promote: () => Promise<void>
}

const isRoot = process.getuid?.() === 0

/** The server refuses to run as root. Not synchronous: the load and the way to the database live in this process. */
async function asPostgres(name: string, ...args: readonly string[]): Promise<void> {
  const [command = '', ...rest] = isRoot
    ? ['runuser', '-u', 'postgres', '--', program(name), ...args]
    : [program(name), ...args]
  // What pg_ctl starts would keep a pipe open.
  const child = spawn(command, rest, { stdio: name === 'pg_ctl' ? 'ignore' : ['ignore', 'ignore', 'pipe'], cwd: '/' })
  const [errors, [code]] = await Promise.all([child.stderr ? text(child.stderr) : '', once(child, 'exit')])
  if (code !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${code}: ${errors}`)
}

/** Makes and starts a cluster in an empty folder. @param onCluster told of it, and of each standby, before it is started. */
export async function startCluster(folder: string, onCluster: (cluster: Cluster) => void): Promise<Cluster> {
  makeFolder(folder)
  await asPostgres('initdb', '-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale')
  return run(folder, onCluster)
}

async function run(folder: string, onCluster: (cluster: Cluster) => void): Promise<Standby> {
  const port = await freePort()
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`
  const start = () => asPostgres('pg_ctl', '-D', folder, '-l', join(folder, 'log'), '-w', '-o', options, 'start')
  const cluster: Standby = {
    port,
    url: (database) => `postgresql://postgres@127.0.0.1:${port}/${database}`,
    start,
    stop: (mode) => asPostgres('pg_ctl', '-D', folder, '-m', mode, '-w', 'stop'),
    standby: async (copy) => {
      makeFolder(copy)
      const from = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres']
      // A checkpoint now, not spread over minutes.
      await asPostgres('pg_basebackup', ...from, '-D', copy, '-R', '-c', 'fast')
      return run(copy, onCluster)
    },
    promote: () => asPostgres('pg_ctl', '-D', folder, '-w', 'promote'),
  }
  onCluster(cluster)
  await start()
  return cluster
}

/** A folder of the user that the database runs as. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (isRoot) spawnSync('chown', ['postgres', folder])
}

/** Debian's; elsewhere what the PATH finds. */
function program(name: string): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin', name)).find((path) => existsSync(path)) ?? name
}
