import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresReplayStore } from '../../src/sdk/resource/postgres-replay-store.ts'
import { createRedisReplayStore } from '../../src/sdk/resource/redis-replay-store.ts'
import { StoreUnavailableError } from '../../src/sdk/resource/store-unavailable.ts'
import { freePort } from '../process/server-process.ts'
import { replayStoreContract } from '../sdk/resource/replay-store-contract.ts'
import { type Compiled, compileSources } from '../support/compile.ts'
import { createPostgresCopy } from '../support/database.ts'
import { openPool } from './pool.ts'
import { forgetPrefix, REDIS_URL, startRedis } from './redis.ts'

const prefix = () => `{writ-test-${randomUUID()}}:`
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

replayStoreContract('Redis, by redis', async () => {
  const [client, other] = await Promise.all([
    createClient({ url: REDIS_URL }).connect(),
    createClient({ url: REDIS_URL }).connect(),
  ])
  const options = { prefix: prefix() }
  return {
    store: createRedisReplayStore(client, options),
    other: createRedisReplayStore(other, options),
    close: async () => {
      await forgetPrefix(options.prefix)
      await Promise.all([client.close(), other.close()])
    },
  }
})

replayStoreContract('Redis, by ioredis', async () => {
  const [client, other] = [new Redis(REDIS_URL), new Redis(REDIS_URL)]
  const options = { prefix: prefix() }
  return {
    store: createRedisReplayStore(client, options),
    other: createRedisReplayStore(other, options),
    close: async () => {
      await forgetPrefix(options.prefix)
      await Promise.all([client.quit(), other.quit()])
    },
  }
})

replayStoreContract('PostgreSQL', async () => {
  const copy = await createPostgresCopy()
  const [pool, other] = [openPool(copy.url), openPool(copy.url)]
  const store = createPostgresReplayStore(pool, { timeoutMilliseconds: 30_000 })
  await store.migrate()
  return {
    store,
    other: createPostgresReplayStore(other, { timeoutMilliseconds: 30_000 }),
    close: async () => {
      await Promise.all([pool.end(), other.end()])
      await copy.drop()
    },
  }
})

describe('two processes, 1,000 parallel marks of one token -> one is marked', () => {
  let compiled: Compiled
  const children = new Set<ChildProcess>()
  beforeAll(() => {
    compiled = compileSources('sdk/resource/redis-replay-store', 'sdk/resource/postgres-replay-store')
  })
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL')
    compiled?.remove()
  })

  /** Runs one program in two processes that begin at the same line, and adds up what they were told. */
  async function race(program: string, env: Readonly<Record<string, string>>): Promise<Record<string, number>> {
    const started = Array.from({ length: 2 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
        cwd: new URL('../..', import.meta.url),
        env: { PATH: process.env.PATH, ...env },
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      children.add(child)
      return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
    })
    for (const { lines } of started) expect((await lines.next()).value).toBe('ready')
    for (const { child } of started) child.stdin.end('go\n')
    const sum: Record<string, number> = {}
    for (const { child, lines } of started) {
      const counted = JSON.parse((await lines.next()).value) as Record<string, number>
      for (const [outcome, count] of Object.entries(counted)) sum[outcome] = (sum[outcome] ?? 0) + count
      if (child.exitCode === null) await once(child, 'exit')
      children.delete(child)
    }
    return sum
  }

  const body = `
    console.log('ready')
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const now = new Date()
    const until = now.getTime() / 1000 + 300
    const { randomUUID } = await import('node:crypto')
    const outcomes = await Promise.all(Array.from({ length: 500 }, () =>
      store.mark([{ key: process.env.TOKEN, until }, { key: randomUUID(), until }], now)))
    const counted = { marked: 0, seen: 0, other: 0 }
    for (const outcome of outcomes) {
      counted[outcome === 'marked' ? 'marked' : outcome.seen === process.env.TOKEN ? 'seen' : 'other']++
    }
    console.log(JSON.stringify(counted))`

  test('Redis', async () => {
    const PREFIX = prefix()
    const program = `
      import { createClient } from 'redis'
      const { createRedisReplayStore } = await import(process.env.MODULE)
      const client = await createClient({ url: process.env.REDIS_URL }).connect()
      const store = createRedisReplayStore(client, { prefix: process.env.PREFIX, timeoutMilliseconds: 30_000 })
      ${body}
      await client.close()`
    const MODULE = compiled.urlOf('sdk/resource/redis-replay-store')
    expect(await race(program, { MODULE, REDIS_URL, PREFIX, TOKEN: randomUUID() })).toEqual({
      marked: 1,
      seen: 999,
      other: 0,
    })
    await forgetPrefix(PREFIX)
  })

  test('PostgreSQL', async () => {
    const copy = await createPostgresCopy()
    const pool = openPool(copy.url)
    try {
      await createPostgresReplayStore(pool).migrate()
      const program = `
        import pg from 'pg'
        const { createPostgresReplayStore } = await import(process.env.MODULE)
        const pool = new pg.Pool({ connectionString: process.env.URL })
        const store = createPostgresReplayStore(pool, { timeoutMilliseconds: 30_000 })
        ${body}
        await pool.end()`
      const MODULE = compiled.urlOf('sdk/resource/postgres-replay-store')
      expect(await race(program, { MODULE, URL: copy.url, TOKEN: randomUUID() })).toEqual({
        marked: 1,
        seen: 999,
        other: 0,
      })
      // What lost left nothing behind: one token, one proof.
      expect((await pool.query('SELECT count(*)::int AS n FROM writ_used')).rows).toEqual([{ n: 2 }])
    } finally {
      await pool.end()
      await copy.drop()
    }
  })
})

describe('Redis', () => {
  test('keys go by themselves, a second after their time at the latest', async () => {
    const client = new Redis(REDIS_URL)
    const options = { prefix: prefix() }
    const store = createRedisReplayStore(client, options)
    const marks = [{ key: 'a', until: inSeconds(1) }]
    expect(await store.mark(marks, new Date())).toBe('marked')
    expect(await client.pttl(`${options.prefix}used:a`)).toBeGreaterThan(900)
    expect(await store.mark(marks, new Date())).toEqual({ seen: 'a' })
    await sleep(2_100)
    expect(await client.exists(`${options.prefix}used:a`)).toBe(0)
    await client.quit()
  })

  test('a Redis that may evict is refused, at start and at every use, until it may not', async () => {
    const redis = await startRedis(await freePort(), ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'])
    try {
      const marks = [{ key: 'a', until: inSeconds(60) }]
      const store = createRedisReplayStore(redis.client)
      await expect(store.check()).rejects.toThrow('set maxmemory-policy to noeviction, it is allkeys-lru')
      await expect(store.mark(marks, new Date())).rejects.toThrow(/noeviction/)
      expect(await redis.client.dbsize()).toBe(0)
      const unchecked = createRedisReplayStore(redis.client, { eviction: 'unchecked', prefix: 'x:' })
      expect(await unchecked.mark(marks, new Date())).toBe('marked')
      await redis.client.config('SET', 'maxmemory-policy', 'noeviction')
      await store.check()
      expect(await store.mark(marks, new Date())).toBe('marked')
    } finally {
      await redis.stop()
    }
  })

  test('out of memory -> full, with nothing marked and nothing forgotten', async () => {
    const redis = await startRedis(await freePort(), ['--maxmemory-policy', 'noeviction'])
    try {
      const store = createRedisReplayStore(redis.client)
      const [used, fresh] = [
        { key: 'used', until: inSeconds(60) },
        { key: 'fresh', until: inSeconds(60) },
      ]
      expect(await store.mark([used], new Date())).toBe('marked')
      await redis.client.config('SET', 'maxmemory', '1')
      expect(await store.mark([fresh, { ...fresh, key: 'more' }], new Date())).toBe('full')
      await redis.client.config('SET', 'maxmemory', '0')
      expect(await store.mark([used], new Date())).toEqual({ seen: 'used' })
      expect(await store.mark([fresh], new Date())).toBe('marked')
    } finally {
      await redis.stop()
    }
  })

  test('a Redis that restarted has no script: it is sent again', async () => {
    const client = new Redis(REDIS_URL)
    const options = { prefix: prefix() }
    const store = createRedisReplayStore(client, options)
    await client.script('FLUSH')
    const marks = [{ key: 'a', until: inSeconds(60) }]
    expect(await store.mark(marks, new Date())).toBe('marked')
    await client.script('FLUSH')
    expect(await store.mark(marks, new Date())).toEqual({ seen: 'a' })
    await forgetPrefix(options.prefix)
    await client.quit()
  })

  test('a Redis that stopped or hangs -> a fault with status 503, in time', async () => {
    const redis = await startRedis(await freePort(), [])
    const store = createRedisReplayStore(redis.client, { timeoutMilliseconds: 300 })
    expect(await store.mark([{ key: 'a', until: inSeconds(60) }], new Date())).toBe('marked')
    process.kill(redis.pid, 'SIGSTOP')
    const failure = await store.mark([{ key: 'b', until: inSeconds(60) }], new Date()).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StoreUnavailableError)
    expect(failure).toMatchObject({ status: 503 })
    process.kill(redis.pid, 'SIGCONT')
    await redis.stop()
    await expect(store.mark([{ key: 'c', until: inSeconds(60) }], new Date())).rejects.toMatchObject({ status: 503 })
  })
})

describe('PostgreSQL', () => {
  let copy: Awaited<ReturnType<typeof createPostgresCopy>>
  let pool: pg.Pool
  beforeAll(async () => {
    copy = await createPostgresCopy()
    pool = openPool(copy.url)
  })
  afterAll(async () => {
    await pool?.end()
    await copy?.drop()
  })
  const count = async () => (await pool.query('SELECT count(*)::int AS n FROM writ_used')).rows[0]?.n

  test('without its table -> a fault, and several may make it at once', async () => {
    const store = createPostgresReplayStore(pool)
    await expect(store.mark([{ key: 'a', until: 9e9 }], new Date())).rejects.toMatchObject({ status: 503 })
    await Promise.all(Array.from({ length: 5 }, () => store.migrate()))
    expect(await store.mark([{ key: 'a', until: 9e9 }], new Date())).toBe('marked')
  })

  test('a mark lives through the second of its "until", pruned or not', async () => {
    const store = createPostgresReplayStore(pool)
    const marks = [{ key: 'b', until: 1_100 }]
    const at = (second: number) => new Date(second * 1000)
    expect(await store.mark(marks, at(1_000))).toBe('marked')
    for (const second of [1_000, 1_100, 1_100.9]) expect(await store.mark(marks, at(second))).toEqual({ seen: 'b' })
    expect(await store.mark([{ key: 'b', until: 1_300 }], at(1_101))).toBe('marked')
    expect(await store.mark([{ key: 'b', until: 1_400 }], at(1_300))).toEqual({ seen: 'b' })
  })

  test('ended marks go in bounded batches, live ones stay', async () => {
    await pool.query('TRUNCATE writ_used')
    await pool.query(`INSERT INTO writ_used SELECT 'old' || i, 1000 FROM generate_series(1, 250) i`)
    const store = createPostgresReplayStore(pool, { pruneRows: 100, pruneSeconds: 10 })
    const mark = (name: string, second: number) => store.mark([{ key: name, until: 5_000 }], new Date(second * 1000))
    await mark('a', 1_060)
    expect(await count()).toBe(251)
    for (const [name, second, left] of [
      ['b', 2_000, 152],
      ['c', 2_000, 53],
      ['d', 2_000, 4],
      ['e', 2_000, 5],
    ] as const) {
      await mark(name, second)
      expect(await count()).toBe(left)
    }
    expect(await store.prune(new Date(5_060_000))).toBe(0)
    expect(await store.prune(new Date(5_061_000))).toBe(5)
  })

  test('a process whose clock leapt ahead makes no other forget', async () => {
    const [store, leapt] = [createPostgresReplayStore(pool), createPostgresReplayStore(pool)]
    await store.migrate()
    const marks = [{ key: 'leapt', until: inSeconds(60) }]
    expect(await store.mark(marks, new Date())).toBe('marked')
    await leapt.mark([{ key: 'other', until: inSeconds(4_000) }], new Date(inSeconds(3_600) * 1_000))
    expect(await store.mark(marks, new Date())).toEqual({ seen: 'leapt' })
  })

  test('a database that is away or slow -> a fault with status 503', async () => {
    const away = new pg.Pool({ connectionString: 'postgresql://postgres@127.0.0.1:1/postgres' })
    await expect(createPostgresReplayStore(away).mark([{ key: 'a', until: 9e9 }], new Date())).rejects.toMatchObject({
      status: 503,
    })
    await away.end()
    const locked = await pool.connect()
    await locked.query('BEGIN; LOCK TABLE writ_used')
    const store = createPostgresReplayStore(pool, { timeoutMilliseconds: 200, pruneSeconds: 1e9 })
    await expect(store.mark([{ key: 'z', until: 9e9 }], new Date())).rejects.toThrow(StoreUnavailableError)
    await locked.query('ROLLBACK')
    locked.release()
  })
})
