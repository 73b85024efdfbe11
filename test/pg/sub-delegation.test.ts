import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { agentToken, given, type Holder, handOnRequest, newAgent } from '../support/chain.ts'
import { type Answer, exchange, revoke } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { type Pair, startPair } from './pair.ts'

let pair: Pair
let sender: Sender
beforeAll(async () => {
  pair = await startPair()
  sender = keepAliveSender(60)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

const any = { $any: true }
const BOUND = { type: 'email_send', to: { $each: any, $max_items: 1 }, subject: any, body: any }

async function newWorld(): Promise<{ readonly world: World; readonly root: Holder }> {
  const world = await createWorld(pair, { bounds: [BOUND], delegation: { delegable: { max_depth: 3 } } })
  return { world, root: { agent: world.agent, subjectToken: world.delegation.subjectToken } }
}

/** Statuses of all delegations below one, as they stand in the database. */
const below = async (id: string) => {
  const { rows } = await pair.client.query(
    'SELECT id, status, agent_id FROM delegation WHERE lineage @> ARRAY[$1] AND id <> $1',
    [id],
  )
  return rows as { id: string; status: string; agent_id: string }[]
}

describe('on two processes, while a delegation is given on', () => {
  const kinds = ['its agent', 'an administrator'] as const
  test.each(kinds)(
    'its revocation by %s: nothing is made after it, everything made before it has ended',
    async (by) => {
      for (let round = 0; round < 6; round++) {
        const { world, root } = await newWorld()
        const middle = await newAgent(world)
        const child = await given(pair.issuer, root, middle, [BOUND], { delegable: '{"max_depth":1}' })
        const actorToken = await agentToken(pair.issuer, await newAgent(world))
        const target = round % 2 === 0 ? root : child
        const { jti } = claimsOf(target.subjectToken)
        // Some before, some with it, some after its answer.
        const ask = (n: number): Promise<Answer> =>
          sender.send(
            pair.members[n % 2 === 0 ? 0 : 1].port,
            handOnRequest(pair.issuer, child, { bounds: [BOUND], actorToken }),
          )
        const early = Array.from({ length: 15 }, (_, n) => ask(n))
        await new Promise((resolve) => setTimeout(resolve, round * 4))
        const ended =
          by === 'its agent'
            ? revoke(pair.issuer, target.agent, target.subjectToken)
            : world.api.call('DELETE', `/admin/delegations/${jti}`, { reason: 'race' })
        const amid = Array.from({ length: 15 }, (_, n) => ask(n))
        expect((await ended).status).toBe(200)
        const late = await Promise.all(Array.from({ length: 6 }, (_, n) => ask(n)))
        for (const answer of late) expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
        const answers = await Promise.all([...early, ...amid])
        for (const answer of answers) {
          if (answer.status !== 200) expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
        }
        // As many as were answered, none of them in force.
        const made = answers.filter(({ status }) => status === 200).map(({ body }) => claimsOf(body.access_token).jti)
        const rows = (await below(claimsOf(child.subjectToken).jti)).map(({ id }) => id)
        expect(rows.sort()).toEqual(made.sort())
        const states = new Set((await below(jti)).map(({ status }) => status))
        expect([...states].filter((status) => status !== 'revoked')).toEqual([])
      }
    },
  )

  test('the suspension of the next agent, and of one above: nothing is made after the answer', async () => {
    for (const who of ['next', 'above'] as const) {
      const { world, root } = await newWorld()
      const next = await newAgent(world)
      const middle = await newAgent(world)
      const child = await given(pair.issuer, root, middle, [BOUND], { delegable: '{"max_depth":1}' })
      const actorToken = await agentToken(pair.issuer, next)
      const ask = (n: number) =>
        sender.send(
          pair.members[n % 2 === 0 ? 0 : 1].port,
          handOnRequest(pair.issuer, child, { bounds: [BOUND], actorToken }),
        )
      const amid = Array.from({ length: 20 }, (_, n) => ask(n))
      const stopped = who === 'next' ? next : world.agent
      await world.api.call('POST', `/admin/agents/${stopped.id}/suspend`, { reason: 'race' })
      const count = (await below(world.delegation.id)).length
      const late = await Promise.all(Array.from({ length: 6 }, (_, n) => ask(n)))
      for (const answer of late) expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
      await Promise.all(amid)
      const after = (await below(world.delegation.id)).length
      expect(after).toBeGreaterThanOrEqual(count)
      for (const answer of await Promise.all(amid)) expect([200, 400]).toContain(answer.status)
    }
  })

  test('one proof sent to both at once makes one child', async () => {
    const { world, root } = await newWorld()
    const actorToken = await agentToken(pair.issuer, await newAgent(world))
    const request = handOnRequest(pair.issuer, root, { bounds: [BOUND], actorToken })
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => sender.send(pair.members[n % 2 === 0 ? 0 : 1].port, request)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await below(world.delegation.id)).toHaveLength(1)
  })

  test('no more than 1,000 children of one delegation, whoever asks at once; an end makes room', async () => {
    const { world, root } = await newWorld()
    const { id } = world.delegation
    const agent = await newAgent(world)
    // As if they had been given on: by hand, for a thousand requests would take their time.
    await pair.client.query(
      `INSERT INTO delegation (id, principal_id, agent_id, authorization_details, granted_by, expires_at, lineage)
       SELECT $1 || '-' || n, $2, $3, '[]'::jsonb, 'agent', now() + interval '1 hour', ARRAY[$1, $1 || '-' || n]
       FROM generate_series(1, 995) AS n`,
      [id, world.principal, agent.id],
    )
    const actorToken = await agentToken(pair.issuer, agent)
    const ask = (n: number) =>
      sender.send(
        pair.members[n % 2 === 0 ? 0 : 1].port,
        handOnRequest(pair.issuer, root, { bounds: [BOUND], actorToken }),
      )
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
    for (const { status, body } of answers) {
      if (status !== 200) expect([body.error, typeof body.decision_id]).toEqual(['access_denied', 'string'])
    }
    expect(await below(id)).toHaveLength(1_000)
    await world.api.call('DELETE', `/admin/delegations/${id}-1`, { reason: 'room' })
    expect((await ask(0)).status).toBe(200)
  })

  test('a whole tree ends at once: no token on any of it after the answer', async () => {
    const { world, root } = await newWorld()
    const agents = await Promise.all(Array.from({ length: 4 }, () => newAgent(world)))
    const children = await Promise.all(
      agents.map((agent) => given(pair.issuer, root, agent, [BOUND], { delegable: '{"max_depth":1}' })),
    )
    const mint = ({ agent, subjectToken }: Holder) =>
      exchange(pair.issuer, agent, { subjectToken, resource: world.identifier, action: world.action })
    for (const answer of await Promise.all(children.map(mint))) expect(answer.status, answer.text).toBe(200)
    expect((await revoke(pair.issuer, world.agent, root.subjectToken)).status).toBe(200)
    for (const answer of await Promise.all(children.map(mint))) expect(answer.body.error).toBe('invalid_grant')
  })
})
