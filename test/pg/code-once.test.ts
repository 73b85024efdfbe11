import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll } from '../process/server-process.ts'
import { oauthRequest, send } from '../support/clients.ts'
import { CODE, delegating, REDIRECT } from '../support/delegating.ts'
import { type Pair, startPair } from './pair.ts'

let pair: Pair
beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair?.close()
  await endAll()
})

test('a code that ten redeem at once, on two processes, is one token', async () => {
  for (let round = 0; round < 5; round++) {
    const story = await delegating(pair)
    const code = await story.code()
    const form = { grant_type: CODE, code, redirect_uri: REDIRECT, code_verifier: story.verifier }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => {
        const { url, ...request } = oauthRequest(pair.issuer, '/token', story.agent, form)
        const { port } = pair.members[n % 2 === 0 ? 0 : 1]
        return send(url.replace(new URL(url).host, `localhost:${port}`), request)
      }),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.error === 'invalid_grant')).toHaveLength(9)
    const { rows } = await pair.client.query(
      `SELECT 1 FROM record WHERE agent = $1 AND kind = 'delegation' AND decision = 'issued'`,
      [story.agent.id],
    )
    expect(rows).toHaveLength(1)
  }
})
