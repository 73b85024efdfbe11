import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { answerFor, asked, askingWorld, pollRequest } from '../support/approvals.ts'
import { introspect } from '../support/clients.ts'
import { claimsOf } from '../support/world.ts'
import { type Pair, startPair, toPort } from './pair.ts'

let pair: Pair
let sender: Sender
beforeAll(async () => {
  pair = await startPair()
  sender = keepAliveSender(40)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

const POLLS = 100
const ANSWERS = 10

/** Ten times, for what races need not happen the first time. */
test.each(Array.from({ length: 10 }, (_, n) => n))(
  'a hundred polls and ten approvals of one request at once, on two processes: one token (%#)',
  async (n) => {
    const world = await askingWorld(pair)
    const turn = n % 2 === 0 ? {} : { form: { turn: `t-${n}` } }
    const { id, authReqId } = await asked(world, turn)
    const member = (i: number) => pair.members[i % 2 === 0 ? 0 : 1]
    const requests = Array.from({ length: POLLS }, () => pollRequest(pair.issuer, world.agent, authReqId))
    const poll = (i: number) => {
      const request = requests[i]
      if (request === undefined) throw new Error('no such poll')
      return sender.send(member(i).port, toPort(request, member(i).port))
    }
    const answers: Promise<unknown>[] = []
    const polls = requests.map((_, i) => {
      if (i % (POLLS / ANSWERS) === 0)
        answers.push(answerFor(world, id, 'approve').then(({ status }) => expect(status).toBe(200)))
      return poll(i)
    })
    const [outcomes] = [await Promise.all(polls), await Promise.all(answers)]
    const errors: Record<string, number> = {}
    const tokens: string[] = []
    for (const { status, text } of outcomes) {
      const body = JSON.parse(text)
      if (status === 200) tokens.push(body.access_token)
      else errors[`${status} ${body.error}`] = (errors[`${status} ${body.error}`] ?? 0) + 1
    }
    // Whoever came before the yes may have used up the hundred: then one more poll is given it.
    if (tokens.length === 0) {
      const late = await sender.send(
        pair.members[1].port,
        toPort(pollRequest(pair.issuer, world.agent, authReqId), pair.members[1].port),
      )
      expect(late.status, late.text).toBe(200)
      tokens.push(JSON.parse(late.text).access_token)
    }
    expect(tokens, JSON.stringify(errors)).toHaveLength(1)
    expect(Object.keys(errors).filter((e) => !/^400 (authorization_pending|slow_down|invalid_grant)$/.test(e))).toEqual(
      [],
    )
    const { rows } = await pair.client.query(
      `SELECT jti FROM record WHERE agent = $1 AND kind = 'action_token' AND decision = 'issued'`,
      [world.agent.id],
    )
    expect(rows).toEqual([{ jti: claimsOf(tokens[0] ?? '').jti }])
    const votes = await pair.client.query('SELECT 1 FROM approval_vote WHERE approval_id = $1', [id])
    expect(votes.rowCount).toBe(1)
    const state = await pair.client.query('SELECT state, jti FROM approval WHERE id = $1', [id])
    expect(state.rows).toEqual([{ state: 'redeemed', jti: rows[0].jti }])
    expect((await introspect(pair.issuer, world.resource, tokens[0] ?? '')).body.active).toBe(true)
  },
  60_000,
)

test('all at once after the yes: one token', async () => {
  const world = await askingWorld(pair)
  const { id, authReqId } = await asked(world)
  expect((await answerFor(world, id, 'approve')).status).toBe(200)
  const outcomes = await Promise.all(
    Array.from({ length: POLLS }, (_, i) => {
      const { port } = pair.members[i % 2 === 0 ? 0 : 1]
      return sender.send(port, toPort(pollRequest(pair.issuer, world.agent, authReqId), port))
    }),
  )
  expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(outcomes.filter(({ text }) => JSON.parse(text).error === 'invalid_grant')).toHaveLength(POLLS - 1)
}, 60_000)
