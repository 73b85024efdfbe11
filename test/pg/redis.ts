import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'

/** The Redis that stands beside PostgreSQL where these suites run. */
export const REDIS_URL = process.env.TEST_REDIS_URL || 'redis://127.0.0.1:6379'

/** Removes every key of a test. */
export async function forgetPrefix(prefix: string): Promise<void> {
  const client = new Redis(REDIS_URL)
  for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await client.del(...keys)
  }
  await client.quit()
}

/** A Redis of a test's own, to be set up, stopped and filled as it likes. Nothing is written to disk. */
export async function startRedis(port: number, settings: readonly string[]) {
  const child = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...settings],
    { stdio: 'ignore' },
  )
  await once(child, 'spawn')
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => {})
  await client.ping()
  return {
    client,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
      client.disconnect()
    },
  }
}
