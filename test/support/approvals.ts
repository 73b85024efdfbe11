import { expect } from 'vitest'
import { type Answer, type Deviation, oauthRequest, send, type TestClient } from './clients.ts'
import type { TestServer } from './server.ts'
import { createWorld, type World, type WorldOptions } from './world.ts'

export const CIBA = 'urn:openid:params:grant-type:ciba'

/** A world whose principal is an organization, for which an administrator answers, and whose delegation asks. */
export const askingWorld = (
  server: Pick<TestServer, 'issuer' | 'admin'>,
  approval: unknown = 'each',
  options: WorldOptions = {},
): Promise<World> =>
  createWorld(server, { ...options, kind: 'organization', delegation: { approval, ...options.delegation } })

/** What an exchange that waits for a yes was answered. */
export interface Waiting {
  readonly authReqId: string
  /** Of the approval, as its page is named. */
  readonly id: string
}

export function waiting(world: World, { status, body, text, headers }: Answer): Waiting {
  expect([status, body?.error], text).toEqual([400, 'authorization_pending'])
  expect(headers['cache-control']).toBe('no-store')
  expect(body.auth_req_id).toMatch(/^ap_[A-Za-z0-9_-]{22}$/)
  const page = `${world.issuer}/me/approvals/`
  expect(body.approval_uri.startsWith(page)).toBe(true)
  return { authReqId: body.auth_req_id, id: body.approval_uri.slice(page.length) }
}

/** An exchange that must wait. */
export const asked = async (
  world: World,
  deviation: Deviation = {},
  action: unknown = world.action,
): Promise<Waiting> => waiting(world, await world.exchange(deviation, { action }))

export const pollRequest = (issuer: string, agent: TestClient, authReqId: string, deviation: Deviation = {}) =>
  oauthRequest(issuer, '/token', agent, { grant_type: CIBA, auth_req_id: authReqId }, deviation)

export function poll(
  { issuer, agent }: Pick<World, 'issuer' | 'agent'>,
  authReqId: string,
  deviation: Deviation = {},
): Promise<Answer> {
  const { url, ...request } = pollRequest(issuer, agent, authReqId, deviation)
  return send(url, request)
}

/** Answers for an organization or a service. */
export const answerFor = (world: World, id: string, verb: 'approve' | 'deny', body: object = {}): Promise<Answer> =>
  world.api.call('POST', `/admin/approvals/${id}/${verb}`, body)

export async function approve(world: World, { id }: Waiting): Promise<void> {
  const answer = await answerFor(world, id, 'approve')
  expect([answer.status, answer.body.state], answer.text).toEqual([200, 'approved'])
}

/** Asks for a yes at the backchannel endpoint. */
export function askAtBackchannel(
  world: World,
  parameters: Readonly<Record<string, string | undefined>> = {},
  deviation: Deviation = {},
): Promise<Answer> {
  const { url, ...request } = oauthRequest(
    world.issuer,
    '/backchannel',
    world.agent,
    {
      subject_token: world.delegation.subjectToken,
      resource: world.identifier,
      authorization_details: JSON.stringify([world.action]),
      ...parameters,
    },
    deviation,
  )
  return send(url, request)
}
