import { expect } from 'vitest'
import {
  ACCESS_TOKEN_TYPE,
  type Answer,
  clientToken,
  type Deviation,
  newClient,
  oauthRequest,
  send,
  type TestClient,
  TOKEN_EXCHANGE,
} from './clients.ts'
import type { World } from './world.ts'

/** An agent and the delegation that it holds. */
export interface Holder {
  readonly agent: TestClient
  readonly subjectToken: string
}

export interface HandOn {
  /** The child's bounds. */
  readonly bounds: readonly unknown[]
  readonly actorToken: string
}

let agents = 0

/** One more agent of the world. */
export async function newAgent(world: World, name = 'helper'): Promise<TestClient> {
  const agent = newClient(`${world.agent.id}-${name}-${++agents}`)
  const body = { id: agent.id, name, keys: [{ jwk: agent.key.jwk }] }
  const answer = await world.api.call('POST', '/admin/agents', body)
  expect(answer.status, answer.text).toBe(201)
  return agent
}

/** What the next actor hands to the one before it. */
export async function agentToken(issuer: string, agent: TestClient): Promise<string> {
  const answer = await clientToken(issuer, agent)
  expect(answer.status, answer.text).toBe(200)
  return answer.body.access_token
}

/** A request that gives a delegation on, right but for its deviation. */
export const handOnRequest = (issuer: string, from: Holder, { bounds, actorToken }: HandOn, deviation?: Deviation) =>
  oauthRequest(
    issuer,
    '/token',
    from.agent,
    {
      grant_type: TOKEN_EXCHANGE,
      subject_token: from.subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      actor_token: actorToken,
      actor_token_type: ACCESS_TOKEN_TYPE,
      resource: issuer,
      authorization_details: JSON.stringify(bounds),
    },
    deviation,
  )

export function handOn(issuer: string, from: Holder, wish: HandOn, deviation?: Deviation): Promise<Answer> {
  const { url, ...request } = handOnRequest(issuer, from, wish, deviation)
  return send(url, request)
}

/** Gives a delegation on to an agent; it must succeed. */
export async function given(
  issuer: string,
  from: Holder,
  to: TestClient,
  bounds: readonly unknown[],
  form: Record<string, string> = {},
): Promise<Holder> {
  const answer = await handOn(issuer, from, { bounds, actorToken: await agentToken(issuer, to) }, { form })
  expect(answer.status, answer.text).toBe(200)
  return { agent: to, subjectToken: answer.body.access_token }
}
