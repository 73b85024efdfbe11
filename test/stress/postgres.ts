import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../process/server-process.ts'

/** A PostgreSQL of a run's own, to be slowed down, crashed and filled: nobody else's notices. */
export interface Cluster {
  readonly port: number
  readonly url: (database: string) => string
  /** `fast` asks everyone to leave; `immediate` is a crash. */
  readonly stop: (mode: 'fast' | 'immediate') => void
  readonly start: () => void
  /** A standby that has everything that was committed, from a copy of this one. */
  readonly standby: (folder: string) => Promise<Cluster & { readonly promote: () => void }>
}

const isRoot = process.getuid?.() === 0

/** The server refuses to run as root. */
export function asPostgres(program: string, args: readonly string[]): string {
  const [command, ...rest] = isRoot ? ['runuser', '-u', 'postgres', '--', program, ...args] : [program, ...args]
  // pg_ctl's child would keep a pipe open.
  const isServer = program.endsWith('pg_ctl')
  const { status, stdout, stderr } = spawnSync(command as string, rest, {
    encoding: 'utf8',
    stdio: isServer ? 'ignore' : 'pipe',
    cwd: '/',
  })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr ?? ''}`)
  return stdout ?? ''
}

/** Makes and starts a cluster in an empty folder. */
export async function startCluster(folder: string): Promise<Cluster> {
  makeFolder(folder)
  asPostgres(program('initdb'), ['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale'])
  return run(folder, await freePort())
}

function run(folder: string, port: number): Cluster {
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`
  const start = () => {
    asPostgres(program('pg_ctl'), ['-D', folder, '-l', join(folder, 'log'), '-w', '-o', options, 'start'])
  }
  start()
  return {
    port,
    url: (database) => `postgresql://postgres@127.0.0.1:${port}/${database}`,
    start,
    stop: (mode) => {
      asPostgres(program('pg_ctl'), ['-D', folder, '-m', mode, '-w', 'stop'])
    },
    standby: async (copy) => {
      makeFolder(copy)
      asPostgres(program('pg_basebackup'), [
        ...['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-D', copy, '-R'],
        // A checkpoint now, not spread over minutes.
        ...['-c', 'fast'],
      ])
      const cluster = run(copy, await freePort())
      return { ...cluster, promote: () => void asPostgres(program('pg_ctl'), ['-D', copy, '-w', 'promote']) }
    },
  }
}

/** Readable on the way for the user that the server runs as. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (isRoot) spawnSync('chown', ['postgres', folder])
}

function program(name: string): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const found = versions.map((version) => join(root, version, 'bin', name)).find((path) => statSync(path).isFile())
  if (found === undefined) throw new Error(`${name} is needed: install PostgreSQL's server`)
  return found
}
