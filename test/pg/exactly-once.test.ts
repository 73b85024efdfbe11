import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPostgresResultStore } from '../../src/sdk/resource/postgres-result-store.ts'
import { freePort, keepAliveSender } from '../process/server-process.ts'
import { actionToken, startIssuer, type TestIssuer } from '../sdk/resource/issuer.ts'
import { type Compiled, compileSources } from '../support/compile.ts'
import { createPostgresCopy } from '../support/database.ts'
import { makeKey, proof } from '../wire/signing.ts'
import { openPool } from './pool.ts'

/** How many calls are made in each test, and more until the server was killed often enough; `WRIT_TEST_CRASH_CALLS` asks for another number. */
const CALLS = Number(process.env.WRIT_TEST_CRASH_CALLS || 400)
const LEAST_KILLS = 15
const AGENTS = 8
/** How long the resource server lives before it is killed: a random moment in between. Unit: ms. */
const LIFE_MS = { least: 20, most: 400 }

/** A resource server whose effect adds one to the counter of the call, slowly, so that it is killed before, within and after. */
const PROGRAM = `
import Koa from 'koa'
import pg from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
const { MODULE, ISSUER, ORIGIN, PORT, URL: connectionString, MODE } = process.env
const sdk = await import(MODULE)
const pool = new pg.Pool({ connectionString, max: 20 })
pool.on('error', () => {})
const results = sdk.createPostgresResultStore(pool, { runSeconds: 1 })
const server = sdk.createResourceServer({ issuer: ISSUER, resource: ORIGIN, origin: ORIGIN, replay: sdk.createMemoryReplayStore(), results,
  ...(MODE === 'consume' && { consume: { clientId: 'counter', key: await sdk.createKey() } }) })
const app = new Koa()
app.silent = true
app.use(async (_, next) => {
  await next()
  // What is done is done, and the agent does not know yet.
  await sleep(Math.random() * 20)
})
app.use(sdk.protect(server, {
  action: (ctx) => ({ type: 'count', id: ctx.path.slice(1) }),
  ...(MODE !== 'once' && { transaction: results }),
}))
app.use(async (ctx) => {
  const database = MODE !== 'once' ? sdk.transactionOf(results, ctx) : pool
  await sleep(Math.random() * 10)
  const { rows } = await database.query('UPDATE counter SET n = n + 1 WHERE id = $1 RETURNING n', [ctx.path.slice(1)])
  await sleep(Math.random() * 10)
  ctx.status = 201
  ctx.body = { n: rows[0].n }
})
app.listen(Number(PORT), '127.0.0.1', () => console.log('ready'))
`

let compiled: Compiled
let issuer: TestIssuer
let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let pool: pg.Pool
let running: ChildProcess | undefined
beforeAll(async () => {
  compiled = compileSources('sdk/resource/index')
  issuer = await startIssuer()
  copy = await createPostgresCopy()
  pool = openPool(copy.url)
  await createPostgresResultStore<pg.PoolClient>(pool).migrate()
  await pool.query('CREATE TABLE counter (id text PRIMARY KEY, n int NOT NULL)')
})
afterAll(async () => {
  running?.kill('SIGKILL')
  await pool?.end()
  await copy?.drop()
  await issuer?.close()
  compiled?.remove()
})
beforeEach(() => pool.query('TRUNCATE counter, writ_call'))

/** Makes `CALLS` calls, each retried until its agent has an answer for good, while the resource server is killed and started. */
async function callUnderKills(mode: 'transaction' | 'consume' | 'once') {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const env = { MODULE: compiled.urlOf('sdk/resource/index'), ISSUER: issuer.url, ORIGIN: origin, PORT: String(port) }
  const start = async () => {
    running = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
      cwd: new URL('../..', import.meta.url),
      env: { PATH: process.env.PATH, URL: copy.url, MODE: mode, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (running.stdout === null) throw new Error('the process has no output')
    const [line] = await once(createInterface({ input: running.stdout }), 'line')
    expect(line).toBe('ready')
    return running
  }
  let server = await start()
  const sender = keepAliveSender(AGENTS)
  const agent = makeKey('ES256')
  const answers: Record<string, number> = {}
  const lasts = new Map<string, string>()
  let [made, kills, answered] = [0, 0, 0]
  let failure: unknown

  /** One call with one token, tried with a fresh proof each time until there is nothing left to try. */
  async function callOnce(): Promise<void> {
    const id = randomUUID()
    await pool.query('INSERT INTO counter VALUES ($1, 0)', [id])
    const bound = { resource: origin, agent, action: { type: 'count', id }, now: new Date() }
    const accessToken = actionToken(issuer, bound, { exp: Math.floor(Date.now() / 1000) + 290 })
    for (;;) {
      const url = `${origin}/${id}`
      const dpop = proof(agent, { method: 'POST', htu: url, now: new Date(), accessToken })
      const headers = [
        ['Authorization', `DPoP ${accessToken}`],
        ['DPoP', dpop],
      ] as const
      const answer = await sender
        .send(port, { url, headers, body: '' })
        .catch(({ code, message }: NodeJS.ErrnoException) => ({
          status: 0,
          headers: {},
          body: { error: code ?? message },
        }))
      const isReplay = Reflect.get(answer.headers, 'idempotent-replayed') === 'true'
      const said = answer.status === 201 ? `201${isReplay ? ' kept' : ''}` : `${answer.status} ${answer.body?.error}`
      answers[said] = (answers[said] ?? 0) + 1
      if (answer.status !== 0) answered++
      if (answer.status === 201) expect(answer.body).toEqual({ n: 1 })
      if (answer.status === 201 || said === '409 call_may_have_run') {
        lasts.set(id, said)
        return
      }
      await sleep(10 + Math.random() * 20)
    }
  }
  const isEnough = () => failure !== undefined || (made >= CALLS && kills >= LEAST_KILLS)
  const isDone = () => failure !== undefined || (isEnough() && lasts.size >= made)
  const work = async () => {
    while (!isEnough()) {
      made++
      await callOnce()
    }
  }
  /** On a busy machine nothing would ever be answered by a server that always dies young: every second one lives until it has. */
  const livesToAnswer = async (answeredBefore: number) => {
    while (!isDone() && answered === answeredBefore) await sleep(5)
  }
  const kill = async () => {
    while (!isDone()) {
      if (kills % 2 === 0) await livesToAnswer(answered)
      await sleep(LIFE_MS.least + Math.random() * (LIFE_MS.most - LIFE_MS.least))
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
      kills++
      server = await start()
    }
  }
  const noted = (error: unknown) => {
    failure = error
  }
  await Promise.all([...Array.from({ length: AGENTS }, () => work().catch(noted)), kill().catch(noted)])
  sender.close()
  server.kill('SIGKILL')
  if (failure !== undefined) throw failure
  console.log(`${mode}: ${made} calls, ${kills} kills; answers: ${JSON.stringify(answers)}`)
  return { made, lasts, kills, answers }
}
const counters = async () =>
  new Map(
    (await pool.query<{ id: string; n: number }>('SELECT id, n FROM counter')).rows.map(
      ({ id, n }) => [id, n] as const,
    ),
  )

/** The issuer's door as the wire contract has it: the first one with a "consume_id" wins, and is known when it comes again. */
const used = new Map<string, string | null>()
async function introspect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = new URLSearchParams(await text(request))
  const claims = JSON.parse(Buffer.from(form.get('token')?.split('.')[1] ?? '', 'base64url').toString())
  const [before, id] = [used.get(claims.jti), form.get('consume_id')]
  if (before === undefined) used.set(claims.jti, id)
  const again = before === id ? { active: false, consumed: { at: 1, receipt: null } } : { active: false }
  // Slowly, so that some are killed after their token was consumed and before they hear of it.
  await sleep(Math.random() * 10)
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(before === undefined ? { ...claims, active: true } : again))
}

test.each(['transaction', 'consume'] as const)(
  'kill -9 at random moments, effect and answer in one transaction (%s): every call is executed exactly once',
  async (mode) => {
    issuer.published.doors = { '/introspect': introspect }
    const { made, lasts, answers } = await callUnderKills(mode)
    expect(answers['201 kept']).toBeGreaterThan(0)
    const counted = await counters()
    expect(counted.size).toBe(made)
    expect([...counted.values()].filter((n) => n !== 1)).toEqual([])
    expect([...lasts.values()].filter((said) => !said.startsWith('201'))).toEqual([])
  },
  600_000,
)

test('kill -9 at random moments, effect outside of the transaction: never twice, and who may have run is told so', async () => {
  const { lasts, answers } = await callUnderKills('once')
  expect(answers['409 call_may_have_run']).toBeGreaterThan(0)
  const counted = await counters()
  expect([...counted.values()].filter((n) => n > 1)).toEqual([])
  for (const [id, said] of lasts) if (said.startsWith('201')) expect(counted.get(id)).toBe(1)
}, 600_000)
