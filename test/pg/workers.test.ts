import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  administratorOf,
  endAll,
  keepAliveSender,
  makeFolder,
  type ProcessFolder,
  type Sender,
  type ServerProcess,
  startProcess,
} from '../process/server-process.ts'
import { exchangeRequest, send } from '../support/clients.ts'
import { createPostgresCopy } from '../support/database.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'

const WORKERS = 2

let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let client: pg.Client
let folder: ProcessFolder
let server: ServerProcess
let port: number
let world: World
let sender: Sender
beforeAll(async () => {
  copy = await createPostgresCopy()
  client = new pg.Client({ connectionString: copy.url })
  await client.connect()
  folder = makeFolder({ WRIT_WORKERS: String(WORKERS), WRIT_DRAIN_SECONDS: '5', WRIT_METRICS_PORT: '0' })
  // The secret by file: the workers read it themselves.
  const secret = join(folder.dataDirectory, '..', 'database-url')
  writeFileSync(secret, `${copy.url}\n`)
  folder = { ...folder, settings: { ...folder.settings, DATABASE_URL_FILE: secret } }
  server = await startProcess(folder.settings)
  port = Number(new URL(server.issuer).port)
  world = await createWorld({ issuer: server.issuer, admin: await administratorOf(folder.dataDirectory) })
  sender = keepAliveSender(16)
})
afterEach(() => sender?.close())
afterAll(async () => {
  await endAll()
  await client?.end()
  await copy?.drop()
  folder?.remove()
})

/** The processes below the primary, by the kernel's account. */
const workersOf = ({ child: { pid } }: ServerProcess): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

interface Flow {
  readonly tokens: readonly string[]
  readonly failures: readonly string[]
  /** Waits for `count` more answers. */
  readonly answered: (count: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Exchanges on connections that are kept alive, one after the other on each, until it is stopped. */
function startFlow(lanes = 6): Flow {
  const [tokens, failures]: [string[], string[]] = [[], []]
  let isStopped = false
  const lane = async () => {
    while (!isStopped) {
      const { status, body } = await sender
        .send(port, exchangeRequest(server.issuer, world.agent, world.wish))
        .catch((error: Error) => ({ status: 0, body: { error: error.message } }))
      if (status === 200) tokens.push(body.access_token)
      else failures.push(`${status} ${body?.error}`)
    }
  }
  const running = Array.from({ length: lanes }, lane)
  return {
    tokens,
    failures,
    answered: async (count) => {
      const goal = tokens.length + failures.length + count
      while (tokens.length + failures.length < goal) await sleep(5)
    },
    stop: async () => {
      isStopped = true
      await Promise.all(running)
    },
  }
}

const said = (text: string) => server.stderr().split(text).length - 1

test('a first start makes one signing key and one administrator, and says once that it listens', async () => {
  expect(server.stdout()).toBe(`writ listening on ${server.issuer}\n`)
  expect(said("the first administrator's credential is in")).toBe(1)
  expect(workersOf(server)).toHaveLength(WORKERS)
  const { rows } = await client.query(
    'SELECT (SELECT count(*) FROM signing_key)::int AS keys, (SELECT count(*) FROM administrator)::int AS administrators',
  )
  expect(rows).toEqual([{ keys: 1, administrators: 1 }])
})

test('two restarts, one worker after the other, under requests: each is answered with a token, and all workers are new', async () => {
  const flow = startFlow()
  for (const round of [1, 2]) {
    const before = workersOf(server)
    await flow.answered(20)
    server.child.kill('SIGHUP')
    if (round === 1) {
      await expect.poll(() => workersOf(server).length, { timeout: 30_000 }).toBe(WORKERS + 1)
      await flow.answered(20)
    }
    await expect.poll(() => said(`${WORKERS} workers were replaced`), { timeout: 50_000 }).toBe(round)
    const after = workersOf(server)
    expect(after).toHaveLength(WORKERS)
    expect(after.filter((pid) => before.includes(pid))).toEqual([])
  }
  await flow.answered(20)
  await flow.stop()
  expect(flow.failures).toEqual([])
  expect(new Set(flow.tokens.map((token) => claimsOf(token).jti)).size).toBe(flow.tokens.length)
})

test('a connection that was idle when its worker was told to leave has its next request answered, and then ends', async () => {
  const sockets = Array.from({ length: 2 * WORKERS }, () => connect(port, '127.0.0.1'))
  const ask = async (socket: ReturnType<typeof connect>) => {
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return String(await once(socket, 'data'))
  }
  for (const socket of sockets) expect(await ask(socket)).toContain('Connection: keep-alive')
  const before = workersOf(server)
  const round = said(`${WORKERS} workers were replaced`) + 1
  server.child.kill('SIGHUP')
  // The first worker has been told when its successor's successor is started; its connections are still there then.
  await expect
    .poll(() => workersOf(server).filter((pid) => !before.includes(pid)).length, { timeout: 30_000 })
    .toBeGreaterThanOrEqual(1)
  const answers: string[] = []
  const deadline = performance.now() + 40_000
  const closing = new Set<unknown>()
  while (said(`${WORKERS} workers were replaced`) < round && performance.now() < deadline) {
    for (const socket of sockets) {
      if (closing.has(socket)) continue
      const answer = await ask(socket)
      answers.push(answer)
      if (answer.includes('Connection: close')) closing.add(socket)
    }
    await sleep(20)
  }
  expect(answers.every((answer) => answer.startsWith('HTTP/1.1 200 OK'))).toBe(true)
  expect(closing.size).toBe(sockets.length)
  for (const socket of sockets) socket.destroy()
})

/** The sum over all workers, read from the primary. */
async function mints(): Promise<number> {
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(server.stderr()) ?? []
  const { text } = await send(url)
  return Number(/^writ_exchange_seconds_count\{outcome="ok"\} (\d+)$/m.exec(text)?.[1] ?? 0)
}

test('the metrics are those of all workers, and none is lost when they are replaced', async () => {
  const before = await mints()
  // On connections of their own: the primary hands them round.
  for (let n = 0; n < 4; n += 1) expect((await world.exchange()).status).toBe(200)
  // A worker that has no time to answer now is left out of one reading.
  await expect.poll(mints, { timeout: 20_000 }).toBe(before + 4)
  const round = said(`${WORKERS} workers were replaced`) + 1
  server.child.kill('SIGHUP')
  await expect.poll(() => said(`${WORKERS} workers were replaced`), { timeout: 50_000 }).toBe(round)
  await expect.poll(mints, { timeout: 20_000 }).toBe(before + 4)
})

test('a worker that is killed is replaced, and the port is served all the while', async () => {
  for (const round of [1, 2]) {
    const listening = said('listens\n')
    process.kill(workersOf(server)[0] as number, 'SIGKILL')
    await expect.poll(() => said('ended (SIGKILL); another one starts'), { timeout: 10_000 }).toBe(round)
    expect((await send(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    expect((await world.exchange()).status).toBe(200)
    await expect.poll(() => said('listens\n'), { timeout: 20_000 }).toBe(listening + 1)
  }
  expect(workersOf(server)).toHaveLength(WORKERS)
})

test('a restart into a configuration that does not hold is given up, and the present workers go on', async () => {
  const path = folder.settings.WRIT_CONFIG as string
  const before = workersOf(server)
  const good = readFileSync(path, 'utf8')
  writeFileSync(path, '{"isuer": "http://localhost"}')
  server.child.kill('SIGHUP')
  await expect.poll(() => server.stderr(), { timeout: 20_000 }).toContain('the present ones go on')
  writeFileSync(path, good)
  expect(server.stderr()).toContain('unknown configuration key "isuer"')
  expect(workersOf(server).sort()).toEqual(before.sort())
  expect((await world.exchange()).status).toBe(200)
})

test('SIGTERM drains all, exits 0 and leaves no process behind', async () => {
  await expect.poll(() => workersOf(server).length, { timeout: 20_000 }).toBe(WORKERS)
  const pids = workersOf(server)
  const flow = startFlow()
  await flow.answered(20)
  const { code, signal } = await server.end('SIGTERM')
  await flow.stop()
  expect({ code, signal }).toEqual({ code: 0, signal: null })
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  // What was begun was finished: a request either found nobody, or its connection closed before it was read; none is half done.
  expect(flow.failures.filter((failure) => !/ECONNREFUSED|ECONNRESET|socket hang up/.test(failure))).toEqual([])
  const { rows } = await client.query('SELECT count(*)::int AS n FROM record WHERE jti = ANY($1)', [
    flow.tokens.map((token) => claimsOf(token).jti),
  ])
  expect(rows).toEqual([{ n: flow.tokens.length }])
})

test('a primary that is killed takes its workers with it', async () => {
  server = await startProcess(folder.settings)
  const pids = workersOf(server)
  expect(pids).toHaveLength(WORKERS)
  await server.end('SIGKILL')
  await expect.poll(() => pids.filter((pid) => readable(pid)), { timeout: 10_000 }).toEqual([])
})

const readable = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('when no worker can be started any more the primary gives up, says so and exits 1', async () => {
  server = await startProcess(folder.settings)
  writeFileSync(folder.settings.WRIT_CONFIG as string, '[]')
  for (const pid of workersOf(server)) process.kill(pid, 'SIGKILL')
  const { code, stderr } = await server.ended
  expect(code).toBe(1)
  expect(stderr).toMatch(/writ: \d workers ended one after the other and none is left \(exit code 1\); giving up\n$/)
})
