import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Query } from '../../src/adapters/prisma/open-database.ts'
import { sha256Base64url } from '../../src/core/hash.ts'
import { exchangeRequest } from '../support/clients.ts'
import { createWorld } from '../support/world.ts'
import {
  administratorOf,
  freePort,
  keepAliveSender,
  type ProcessFolder,
  type ServerProcess,
  startProcess,
} from './server-process.ts'

/** Exchanges in flight at any moment. */
const WORKERS = 16
/** How long a server lives before it is killed: a random moment in between. Unit: ms. */
const LIFE_MS = { least: 200, most: 2_500 }
/** How long an agent waits after it got no answer. Unit: ms. */
const PAUSE_MS = 20

/** How many exchanges; `WRIT_TEST_CRASH_EXCHANGES` asks for another number. */
export const EXCHANGES = Number(process.env.WRIT_TEST_CRASH_EXCHANGES || 10_000)

export interface CrashRun {
  /** Every token that a client received. */
  readonly tokens: readonly string[]
  /** How often each answer came, and each lack of one. */
  readonly answers: ReadonlyMap<string, number>
  /** How long each start after a kill took. Unit: ms. */
  readonly restarts: readonly number[]
}

/** Exchanges until `EXCHANGES` tokens are received, while the server is killed at random moments and started again. */
export async function exchangeUnderKills(folder: ProcessFolder): Promise<CrashRun> {
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const settings = { ...folder.settings, WRIT_PORT: String(port), WRIT_ISSUER: issuer }
  let server: ServerProcess = await startProcess(settings)
  const world = await createWorld({ issuer, admin: await administratorOf(folder.dataDirectory) })
  const sender = keepAliveSender(WORKERS)
  const tokens: string[] = []
  const answers = new Map<string, number>()
  const restarts: number[] = []
  let failure: unknown

  const isDone = () => tokens.length >= EXCHANGES || failure !== undefined
  const work = async () => {
    while (!isDone()) {
      const answer = await sender
        .send(port, exchangeRequest(issuer, world.agent, world.wish))
        .catch(({ code, message }: NodeJS.ErrnoException) => ({ status: 0, body: { error: code ?? message } }))
      const name = answer.status === 200 ? '200' : `${answer.status} ${answer.body?.error ?? ''}`.trim()
      answers.set(name, (answers.get(name) ?? 0) + 1)
      if (answer.status === 200) tokens.push(answer.body.access_token)
      else await sleep(PAUSE_MS)
    }
  }
  const kill = async () => {
    while (!isDone()) {
      await sleep(LIFE_MS.least + Math.random() * (LIFE_MS.most - LIFE_MS.least))
      await server.end('SIGKILL')
      server = await startProcess(settings)
      restarts.push(server.startMilliseconds)
    }
  }
  await Promise.all([
    ...Array.from({ length: WORKERS }, work),
    kill().catch((error: unknown) => {
      failure = error
    }),
  ])
  sender.close()
  if (failure !== undefined) throw failure
  expect((await server.end('SIGTERM')).code).toBe(0)
  return { tokens, answers, restarts }
}

interface IssuedRecord {
  readonly [column: string]: unknown
  readonly jti: string
  readonly action: string
  readonly token_issued_at: Date
  readonly token_expires_at: Date
}

/** What an issued action token leaves in the account; `turn`, `detail` and `refusal` have nothing to say of it. */
const WRITTEN = [
  ...[
    'id',
    'at',
    'client',
    'agent',
    'principal',
    'delegation',
    'resource',
    'action_type',
    'action_type_version',
    'action',
  ],
  ...[
    'action_digest',
    'claims_digest',
    'jti',
    'jkt',
    'txn',
    'because',
    'token_issued_at',
    'token_expires_at',
    'request_id',
  ],
]

/** Every token has its record, member by member; no record is half written. @returns how many records there are. */
export async function checkAccount(query: Query, { tokens }: CrashRun): Promise<number> {
  const records = await query<IssuedRecord>(`SELECT * FROM record WHERE kind = 'action_token' AND decision = 'issued'`)
  for (const record of records) {
    expect(WRITTEN.filter((column) => record[column] === null)).toEqual([])
    expect(record.action_digest).toBe(sha256Base64url(record.action))
  }
  const byJti = new Map(records.map((record) => [record.jti, record]))
  expect(new Set(tokens).size).toBe(tokens.length)
  for (const token of tokens) {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')
    const claims = JSON.parse(payload)
    const record = byJti.get(claims.jti)
    if (record === undefined) throw new Error(`the token ${claims.jti} has no record`)
    expect({
      ...record,
      action: JSON.parse(record.action),
      token_issued_at: record.token_issued_at.getTime() / 1_000,
      token_expires_at: record.token_expires_at.getTime() / 1_000,
    }).toMatchObject({
      client: claims.client_id,
      agent: claims.act.sub,
      principal: claims.sub,
      delegation: claims.delegation_id,
      resource: claims.aud,
      action_type: claims.authorization_details[0].type,
      action: claims.authorization_details[0],
      claims_digest: sha256Base64url(payload),
      jkt: claims.cnf.jkt,
      txn: claims.txn,
      token_issued_at: claims.iat,
      token_expires_at: claims.exp,
    })
  }
  return records.length
}

/** What the run was, in lines for whoever reads the log. */
export function report(name: string, { tokens, answers, restarts }: CrashRun, records: number): void {
  const sorted = restarts.toSorted((a, b) => a - b).map(Math.round)
  const starts = `least ${sorted[0]}, median ${sorted[Math.floor(sorted.length / 2)]}, most ${sorted.at(-1)} ms`
  console.log(
    `${name}: ${tokens.length} tokens received, ${records} records (${records - tokens.length} of tokens that nobody ` +
      `received), ${restarts.length} kills; starts: ${starts}; answers: ${JSON.stringify(Object.fromEntries(answers))}`,
  )
}
