import { readFileSync } from 'node:fs'
import type { BenchDatabase } from './bench-database.ts'

/**
 * CPU time of PostgreSQL's own processes that serve one database: what a plan that grows with the tables would show in, and
 * the server's own CPU would not. Works where PostgreSQL runs on this machine.
 */
export interface DatabaseCpu {
  /** What was spent since `start`, of connections that are still there. Unit: microseconds. */
  readonly since: (start: ReadonlyMap<number, number>) => Promise<number>
  readonly start: () => Promise<ReadonlyMap<number, number>>
}

export function databaseCpu({ query }: BenchDatabase): DatabaseCpu {
  const start = async () => {
    const rows = await query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    )
    return new Map(rows.map(({ pid }) => [pid, onCpu(pid)]))
  }
  return {
    start,
    since: async (before) => {
      const now = await start()
      // A connection that was opened meanwhile began at nothing.
      return [...now].reduce((sum, [pid, spent]) => sum + spent - (before.get(pid) ?? 0), 0)
    },
  }
}

function onCpu(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000
  } catch {
    return Number.NaN
  }
}
