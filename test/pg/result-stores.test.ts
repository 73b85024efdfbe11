import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createPostgresResultStore, type PostgresResultStore } from '../../src/sdk/resource/postgres-result-store.ts'
import { createRedisResultStore } from '../../src/sdk/resource/redis-result-store.ts'
import type { Call } from '../../src/sdk/resource/result-store.ts'
import { freePort } from '../process/server-process.ts'
import { answerOf, deferred, resultStoreContract } from '../sdk/resource/result-store-contract.ts'
import { createPostgresCopy } from '../support/database.ts'
import { openPool } from './pool.ts'
import { forgetPrefix, REDIS_URL, startRedis } from './redis.ts'

resultStoreContract('Redis', async () => {
  const [client, other] = [await createClient({ url: REDIS_URL }).connect(), new Redis(REDIS_URL)]
  const options = { prefix: `{writ-test-${randomUUID()}}:` }
  return {
    store: createRedisResultStore(client, options),
    other: createRedisResultStore(other, options),
    outlivesProcesses: true,
    close: async () => {
      await forgetPrefix(options.prefix)
      await Promise.all([client.close(), other.quit()])
    },
  }
})

resultStoreContract('PostgreSQL', async () => {
  const copy = await createPostgresCopy()
  const [pool, other] = [openPool(copy.url), openPool(copy.url)]
  const store = createPostgresResultStore<pg.PoolClient>(pool)
  await store.migrate()
  return {
    store,
    other: createPostgresResultStore<pg.PoolClient>(other),
    outlivesProcesses: true,
    close: async () => {
      await Promise.all([pool.end(), other.end()])
      await copy.drop()
    },
  }
})

const second = Math.floor(Date.now() / 1000)
const now = new Date(second * 1000)
const newCall = (): Call => ({ key: randomUUID(), fingerprint: 'same', until: second + 600 })
const never = async (): Promise<never> => {
  throw new Error('this effect must not run')
}

describe('Redis', () => {
  test('out of memory -> full, and the effect does not run; what ends stays for its time only', async () => {
    const redis = await startRedis(await freePort(), ['--maxmemory-policy', 'noeviction'])
    try {
      const store = createRedisResultStore(redis.client)
      await redis.client.config('SET', 'maxmemory', '1')
      expect(await store.once(newCall(), now, never)).toEqual({ kind: 'full' })
      await redis.client.config('SET', 'maxmemory', '0')
      const call = newCall()
      expect(await store.once(call, now, async () => answerOf('x'))).toEqual({ kind: 'ran' })
      const left = await redis.client.pttl(`{writ}:call:${call.key}`)
      expect(left > 590_000 && left <= 601_000).toBe(true)
    } finally {
      await redis.stop()
    }
  })
})

test('Redis: a fault while an answer is kept does not have the answer in it, for whoever logs it', async () => {
  const redis = await startRedis(await freePort(), [])
  try {
    const store = createRedisResultStore(redis.client)
    const answer = answerOf('secret-of-the-answer')
    const failing = store.once(newCall(), now, async () => {
      // A failover while the call runs: what was the primary takes no writes any more.
      await redis.client.call('REPLICAOF', '127.0.0.1', '1')
      return answer
    })
    const failure = await failing.catch((error: unknown) => error)
    const shown = inspect(failure, { depth: 20, showHidden: true })
    expect(failure).toMatchObject({ status: 503 })
    expect(shown).toContain('READONLY')
    const written = Buffer.from(answer.body).toString('base64')
    for (const secret of ['secret-of-the-answer', written]) expect(shown).not.toContain(secret)
  } finally {
    await redis.stop()
  }
})

test('Redis: a call that outlives its token leaves nothing behind', async () => {
  const client = new Redis(REDIS_URL)
  const prefix = `{writ-test-${randomUUID()}}:`
  const store = createRedisResultStore(client, { prefix })
  const call = { ...newCall(), until: Math.floor(Date.now() / 1000) }
  await store.once(call, new Date(), async () => {
    await vi.waitFor(async () => expect(await client.exists(`${prefix}call:${call.key}`)).toBe(0), { timeout: 5_000 })
    return answerOf('late')
  })
  expect(await client.exists(`${prefix}call:${call.key}`)).toBe(0)
  await client.quit()
})

describe('PostgreSQL, in one transaction', () => {
  let copy: Awaited<ReturnType<typeof createPostgresCopy>>
  let pool: pg.Pool
  let store: PostgresResultStore<pg.PoolClient>
  beforeAll(async () => {
    copy = await createPostgresCopy()
    pool = openPool(copy.url, 20)
    store = createPostgresResultStore(pool)
    await Promise.all([store.migrate(), store.migrate(), store.migrate()])
    await pool.query('CREATE TABLE deed (n int UNIQUE)')
  })
  afterAll(async () => {
    await pool?.end()
    await copy?.drop()
  })
  beforeEach(() => pool.query('TRUNCATE deed'))
  const deeds = async () => (await pool.query('SELECT count(*)::int AS n FROM deed')).rows[0]?.n
  const doIt = async (client: pg.PoolClient) => {
    await client.query('INSERT INTO deed VALUES (1)')
    return answerOf('done')
  }

  test('effect and answer are committed together; the retry gets the answer', async () => {
    const call = newCall()
    expect(await store.transact(call, now, doIt)).toEqual({ kind: 'ran' })
    expect(await deeds()).toBe(1)
    expect((await store.transact(call, now, never)).kind).toBe('kept')
    expect((await store.once(call, now, never)).kind).toBe('kept')
    expect(await store.transact({ ...call, fingerprint: 'other' }, now, never)).toEqual({ kind: 'foreign' })
  })

  test('what throws is undone with its claim, and the retry runs', async () => {
    const call = newCall()
    const failure = new Error('half way')
    const failed = store.transact(call, now, async (client) => {
      await doIt(client)
      throw failure
    })
    await expect(failed).rejects.toBe(failure)
    expect([await deeds(), await store.find(call, now)]).toEqual([0, undefined])
    expect(await store.transact(call, now, doIt)).toEqual({ kind: 'ran' })
    expect(await deeds()).toBe(1)
  })

  test('200 at once -> one runs, and nobody waits for it', async () => {
    const call = newCall()
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => store.transact(call, now, doIt)))
    expect(outcomes.filter(({ kind }) => kind === 'ran')).toHaveLength(1)
    expect(outcomes.filter(({ kind }) => kind !== 'ran' && kind !== 'running' && kind !== 'kept')).toEqual([])
    expect(await deeds()).toBe(1)
  })

  test('an effect that commits by itself is a fault; it is never run again', async () => {
    const call = newCall()
    const early = store.transact(call, now, async (client) => {
      await client.query('COMMIT')
      return doIt(client)
    })
    await expect(early).rejects.toThrow('the effect ended the transaction it was given')
    expect(await store.transact(call, now, never)).toEqual({ kind: 'unfinished' })
  })

  test('an effect that hides a failed statement is undone', async () => {
    const call = newCall()
    const hidden = store.transact(call, now, async (client) => {
      await doIt(client)
      await doIt(client).catch(() => {})
      return answerOf('done')
    })
    await expect(hidden).rejects.toMatchObject({ status: 503 })
    expect([await deeds(), await store.find(call, now)]).toEqual([0, undefined])
  })

  test('a constraint that is checked at the commit undoes all of it', async () => {
    await pool.query('CREATE TABLE late (n int REFERENCES deed (n) DEFERRABLE INITIALLY DEFERRED)')
    const call = newCall()
    const failed = store.transact(call, now, async (client) => {
      await client.query('INSERT INTO late VALUES (7)')
      return answerOf('done')
    })
    await expect(failed).rejects.toMatchObject({ status: 503 })
    expect(await store.find(call, now)).toBeUndefined()
    await pool.query('DROP TABLE late')
  })

  test('a connection that is cut while the effect thinks: a fault, nothing done, the retry runs', async () => {
    const call = newCall()
    const [begun, go] = [deferred<number>(), deferred<void>()]
    const cut = store.transact(call, now, async (client) => {
      await doIt(client)
      begun.resolve((await client.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid)
      await go.promise
      return answerOf('done')
    })
    const failed = expect(cut).rejects.toMatchObject({ status: 503 })
    await pool.query('SELECT pg_terminate_backend($1)', [await begun.promise])
    go.resolve()
    await failed
    expect(await store.transact(call, now, doIt)).toEqual({ kind: 'ran' })
    expect(await deeds()).toBe(1)
  })

  test('a pool without a free connection: a fault in time, and the connection that comes late is given back', async () => {
    const small = openPool(copy.url, 2)
    const busy = await Promise.all([small.connect(), small.connect()])
    const impatient = createPostgresResultStore<pg.PoolClient>(small, { timeoutMilliseconds: 100 })
    busy[0].release()
    expect(await impatient.transact(newCall(), now, async () => undefined)).toEqual({ kind: 'ran' })
    const held = await small.connect()
    await expect(impatient.transact(newCall(), now, never)).rejects.toMatchObject({ status: 503 })
    for (const client of [held, busy[1]]) client.release()
    await vi.waitFor(() => expect([small.idleCount, small.waitingCount]).toEqual([2, 0]))
    await small.end()
  })

  test('a process whose clock leapt ahead makes no other forget', async () => {
    const call = newCall()
    await store.transact(call, now, doIt)
    const [leapt] = [createPostgresResultStore(pool)]
    await leapt.once({ ...newCall(), until: second + 8_000 }, new Date((second + 7_200) * 1_000), async () => undefined)
    expect((await store.transact(call, now, never)).kind).toBe('kept')
  })

  test('calls that have ended go, live ones stay', async () => {
    await pool.query('TRUNCATE writ_call')
    await store.once({ ...newCall(), until: 1_000 }, new Date(1_000_000), async () => answerOf('old'))
    const live = newCall()
    await store.transact(live, now, doIt)
    expect(await store.prune(now)).toBe(0)
    expect((await pool.query('SELECT key FROM writ_call')).rows).toEqual([{ key: live.key }])
  })
})
