import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Query } from '../../src/adapters/prisma/open-database.ts'
import { everyRow, spellings, useCodes } from '../process/enrolment-codes.ts'
import { endAll } from '../process/server-process.ts'
import { adminApi, newClient, send } from '../support/clients.ts'
import { proof } from '../wire/signing.ts'
import { type Pair, startPair } from './pair.ts'

let pair: Pair
beforeAll(async () => {
  pair = await startPair({ WRIT_LOG_LEVEL: 'debug' })
})
afterAll(async () => {
  await pair?.close()
  await endAll()
})

test('no code of an enrolment stands in a log or in a row, not even when the database breaks', async () => {
  const codes = [...(await useCodes(pair.issuer, pair.admin))]
  // A fault is logged with its cause, and the cause may know what was asked for.
  const api = await adminApi(pair.issuer, pair.admin)
  const { body } = await api.call('POST', '/admin/agents/planner/enrolments', {})
  codes.push(body.code)
  await pair.client.query('ALTER TABLE enrolment RENAME COLUMN code_hash TO gone')
  const url = `${pair.issuer}/enrol`
  const broken = await send(url, {
    method: 'POST',
    headers: [
      ['Content-Type', 'application/json'],
      ['DPoP', proof(newClient('x').key, { method: 'POST', htu: url, now: new Date() })],
    ],
    body: JSON.stringify({ code: body.code }),
  })
  await pair.client.query('ALTER TABLE enrolment RENAME COLUMN gone TO code_hash')
  expect(broken.status).toBe(500)

  const query: Query = async (sql, params) => (await pair.client.query(sql, params as unknown[])).rows
  const rows = await everyRow(query)
  const logs = pair.members.map(({ process }) => process.stdout() + process.stderr()).join('\n')
  expect(rows).toContain('enrolment.redeem')
  expect(logs).toContain('a request failed')
  for (const [name, text] of Object.entries({ rows, logs })) {
    const found = codes.filter((code) => spellings(code).some((spelling) => Buffer.from(text).includes(spelling)))
    expect([name, found.length]).toEqual([name, 0])
  }
})
