import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, exchange, newClient, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { proof, type TestKey } from '../../wire/signing.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const PATH = () => `/admin/agents/${world.agent.id}/enrolments`

async function offer(body: object = {}): Promise<{ id: string; code: string; expires_at: number }> {
  const answer = await world.api.call('POST', PATH(), body)
  expect(answer.status).toBe(201)
  return answer.body
}

function redeem(key: TestKey, body: object | string, proofs?: readonly string[]): Promise<Answer> {
  const url = `${server.issuer}/enrol`
  const sent = proofs ?? [proof(key, { method: 'POST', htu: url, now: new Date() })]
  return send(url, {
    method: 'POST',
    headers: [['Content-Type', 'application/json'], ...sent.map((value) => ['DPoP', value] as const)],
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

const newKey = () => newClient('nobody').key

describe('an enrolment', () => {
  test('binds a key with which the agent then exchanges', async () => {
    const key = newKey()
    const { id, code } = await offer()
    const answer = await redeem(key, { code, label: 'laptop' })
    expect([answer.status, answer.body]).toEqual([201, { agent: world.agent.id, kid: key.jkt, issuer: server.issuer }])
    expect((await exchange(server.issuer, { id: world.agent.id, key }, world.wish)).status).toBe(200)
    const shown = await world.api.call('GET', `${PATH()}/${id}`)
    expect(shown.body).toMatchObject({ status: 'used', kid: key.jkt })
    const registered = await world.api.call('GET', `/admin/agents/${world.agent.id}/keys/${key.jkt}`)
    expect(registered.body).toMatchObject({ kid: key.jkt, label: 'laptop', status: 'active' })
  })

  test('is for 15 minutes unless something else is said, and never longer than a day', async () => {
    const minutes = (at: number) => (at - Date.now() / 1_000) / 60
    expect(minutes((await offer()).expires_at)).toBeCloseTo(15, 0)
    expect(minutes((await offer({ expires_in: 60 })).expires_at)).toBeCloseTo(1, 0)
    expect((await world.api.call('POST', PATH(), { expires_in: 86_401 })).status).toBe(422)
  })

  test('a code has at least 128 bits and is shown by no list and no record', async () => {
    const { code } = await offer()
    expect(Buffer.from(code, 'base64url').length).toBeGreaterThanOrEqual(16)
    for (const path of [PATH(), `/admin/records?agent=${world.agent.id}`]) {
      expect((await world.api.call('GET', path)).text).not.toContain(code)
    }
  })

  test('a repeat with the same Idempotency-Key is told which one it was, and not the code', async () => {
    const headers = [['Idempotency-Key', 'once']] as const
    const first = await world.api.call('POST', PATH(), {}, headers)
    const again = await world.api.call('POST', PATH(), {}, headers)
    expect([first.status, again.status]).toEqual([201, 409])
    expect(again.headers['content-type']).toContain('application/problem+json')
    expect(again.body.detail).toContain(first.body.id)
    expect(again.text).not.toContain(first.body.code)
  })
})

describe('no key is bound by', () => {
  const refusedAs = (answer: Answer) => [answer.status, answer.body.error]

  test('a code that was used', async () => {
    const { code } = await offer()
    expect((await redeem(newKey(), { code })).status).toBe(201)
    expect(refusedAs(await redeem(newKey(), { code }))).toEqual([400, 'invalid_grant'])
  })

  test('a guessed code, one of the wrong form, or none', async () => {
    expect(refusedAs(await redeem(newKey(), { code: 'AAAAAAAAAAAAAAAAAAAAAA' }))).toEqual([400, 'invalid_grant'])
    expect(refusedAs(await redeem(newKey(), { code: 7 }))).toEqual([400, 'invalid_request'])
    expect(refusedAs(await redeem(newKey(), {}))).toEqual([400, 'invalid_request'])
    expect((await redeem(newKey(), '{"code": "a", "code": "b"}')).status).toBe(400)
  })

  test('a code that has expired', async () => {
    const { code } = await offer({ expires_in: 1 })
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(refusedAs(await redeem(newKey(), { code }))).toEqual([400, 'invalid_grant'])
  })

  test('a code that was withdrawn, alone or with all', async () => {
    const [one, other] = [await offer(), await offer()]
    expect((await world.api.call('DELETE', `${PATH()}/${one.id}`)).body.withdrawn).toEqual([one.id])
    expect(refusedAs(await redeem(newKey(), { code: one.code }))).toEqual([400, 'invalid_grant'])
    expect((await world.api.call('DELETE', PATH())).body.withdrawn).toContain(other.id)
    expect(refusedAs(await redeem(newKey(), { code: other.code }))).toEqual([400, 'invalid_grant'])
  })

  test('a code that fits another key only; it stays good for that one', async () => {
    const key = newKey()
    const { code } = await offer({ jkt: key.jkt })
    expect(refusedAs(await redeem(newKey(), { code }))).toEqual([400, 'invalid_grant'])
    expect((await redeem(key, { code })).status).toBe(201)
  })

  test('a key that another client has or had; the code stays good for a new one', async () => {
    const { code } = await offer()
    expect(refusedAs(await redeem(world.resource.key, { code }))).toEqual([400, 'invalid_grant'])
    expect((await redeem(newKey(), { code })).status).toBe(201)
  })

  test('no proof, two proofs, a proof for another URL, a proof sent twice', async () => {
    const { code } = await offer()
    const key = newKey()
    const url = `${server.issuer}/enrol`
    const good = () => proof(key, { method: 'POST', htu: url, now: new Date() })
    const elsewhere = proof(key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })
    for (const proofs of [[], [good(), good()], [elsewhere]]) {
      expect(refusedAs(await redeem(key, { code }, proofs))).toEqual([400, 'invalid_dpop_proof'])
    }
    const twice = good()
    expect((await redeem(key, { code }, [twice])).status).toBe(201)
    const next = await offer()
    expect(refusedAs(await redeem(key, { code: next.code }, [twice]))).toEqual([400, 'invalid_dpop_proof'])
  })

  test('a code of an agent that was suspended meanwhile', async () => {
    const other = await createWorld(server)
    const answer = await other.api.call('POST', `/admin/agents/${other.agent.id}/enrolments`, {})
    await other.api.call('POST', `/admin/agents/${other.agent.id}/suspend`, {})
    expect(refusedAs(await redeem(newKey(), { code: answer.body.code }))).toEqual([400, 'invalid_grant'])
  })

  test('an eleventh active key', async () => {
    const other = await createWorld(server)
    const path = `/admin/agents/${other.agent.id}/enrolments`
    for (let i = 2; i <= 10; i++) {
      const { body } = await other.api.call('POST', path, {})
      expect((await redeem(newKey(), { code: body.code })).status).toBe(201)
    }
    const { body } = await other.api.call('POST', path, {})
    expect(refusedAs(await redeem(newKey(), { code: body.code }))).toEqual([400, 'invalid_grant'])
  })
})

test('of twenty agents that race for one code, one gets it', async () => {
  const { code } = await offer()
  const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(newKey(), { code })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
})

test('six codes redeemed at once never give an agent more than ten keys', async () => {
  const other = await createWorld(server)
  const path = `/admin/agents/${other.agent.id}/enrolments`
  const codeOf = async () => (await other.api.call('POST', path, {})).body.code
  for (let keys = 2; keys <= 9; keys++) expect((await redeem(newKey(), { code: await codeOf() })).status).toBe(201)
  const codes = [await codeOf(), await codeOf(), await codeOf(), await codeOf(), await codeOf(), await codeOf()]
  const answers = await Promise.all(codes.map((code) => redeem(newKey(), { code })))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400, 400, 400])
})

test('codes redeemed while they are withdrawn: a clear answer to everyone', async () => {
  for (let round = 0; round < 5; round++) {
    const codes = [await offer(), await offer(), await offer()]
    const [withdrawal, ...answers] = await Promise.all([
      world.api.call('DELETE', PATH()),
      ...codes.map(({ code }) => redeem(newKey(), { code })),
    ])
    expect(withdrawal.status).toBe(200)
    for (const { status } of answers) expect([201, 400]).toContain(status)
    for (const { kid } of (await world.api.call('GET', `/admin/agents/${world.agent.id}/keys`)).body.items) {
      if (kid !== world.agent.key.jkt) await world.api.call('DELETE', `/admin/agents/${world.agent.id}/keys/${kid}`)
    }
  }
})

test.each([
  { what: 'no JSON', type: 'text/plain', body: '{"code":"x"}', status: 415 },
  { what: 'an array', type: 'application/json', body: '[]', status: 400 },
  { what: 'broken JSON', type: 'application/json', body: '{"code"', status: 400 },
  { what: 'a member twice', type: 'application/json', body: '{"code":"a","code":"b"}', status: 400 },
  { what: 'a body of 70 KiB', type: 'application/json', body: `{"code":"${'a'.repeat(70 * 1024)}"}`, status: 413 },
])('$what -> $status invalid_request', async ({ type, body, status }) => {
  const answer = await send(`${server.issuer}/enrol`, { method: 'POST', headers: [['Content-Type', type]], body })
  expect([answer.status, answer.body.error]).toEqual([status, 'invalid_request'])
})
