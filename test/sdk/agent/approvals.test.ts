import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type Agent,
  createAgent,
  createKey,
  explainRefusal,
  type PendingApproval,
  type Wish,
  WritFault,
} from '../../../src/sdk/agent/index.ts'
import { type AdminApi, adminApi, introspect } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { agentOf, granted, refused } from './agents.ts'
import { answer, startTinyIssuer, type TinyServer } from './tiny-server.ts'

let server: TestServer
let approver: AdminApi
beforeAll(async () => {
  server = await startTestServer()
  approver = await adminApi(server.issuer, server.admin)
  await approver.call('POST', '/admin/principals', { id: 'board', kind: 'organization' })
})
afterAll(() => server.close())

interface Asking {
  readonly world: World
  readonly agent: Agent
  readonly wish: Wish
}

/** A world whose every action is approved by the board. */
async function asking(): Promise<Asking> {
  const world = await createWorld(server, { delegation: { approval: { mode: 'each', approvers: ['board'] } } })
  const { subjectToken, resource } = world.wish
  const wish = { subjectToken, resource, action: world.action as Wish['action'] }
  return { world, agent: await agentOf(server.issuer, world.agent), wish }
}

async function pendingOf({ agent, wish }: Asking): Promise<PendingApproval> {
  const refusal = refused(await agent.exchange(wish))
  if (refusal.approval === undefined) throw new Error('this names no approval')
  return refusal.approval
}

const idOf = ({ approvalUri = '' }: PendingApproval) => approvalUri.split('/').at(-1)
async function answered(approval: PendingApproval, verb: 'approve' | 'deny'): Promise<void> {
  const { status, text } = await approver.call('POST', `/admin/approvals/${idOf(approval)}/${verb}`, {})
  expect(status, text).toBe(200)
}

describe('an exchange that needs a yes', () => {
  test('is a refusal that says what is waited for, where, and until when', async () => {
    const here = await asking()
    const refusal = refused(await here.agent.exchange({ ...here.wish, purpose: 'Minutes of today' }))
    expect(refusal).toMatchObject({ kind: 'approval_needed', error: 'authorization_pending', status: 400 })
    expect(refusal.approval).toEqual({
      authReqId: expect.stringMatching(/^ap_/),
      approvalUri: expect.stringMatching(new RegExp(`^${server.issuer}/me/approvals/apr_`)),
      expiresAt: expect.any(Date),
      intervalSeconds: 5,
    })
    expect(refusal.approval?.expiresAt.getTime()).toBeGreaterThan(Date.now() + 30_000)
    expect(explainRefusal(refusal)).toContain('Wait until this action is approved.')
    const shown = await approver.call('GET', `/admin/approvals/${refusal.approval && idOf(refusal.approval)}`)
    expect(shown.body.purpose).toBe('Minutes of today')
    // Asked again, it is the same one.
    expect((await pendingOf(here)).authReqId).toBe(refusal.approval?.authReqId)
  })

  test('gives the one token once it is approved, and then no more', async () => {
    const here = await asking()
    const approval = await pendingOf(here)
    const waiting = here.agent.waitForApproval(approval)
    await answered(approval, 'approve')
    const token = granted(await waiting)
    expect(token.resource).toBe(here.world.identifier)
    expect(token.action).toEqual({ ...here.world.action, locations: [here.world.identifier] })
    expect((await introspect(server.issuer, here.world.resource, token.token)).body.active).toBe(true)
    const again = refused(await here.agent.waitForApproval({ ...approval, intervalSeconds: 0.01 }))
    expect([again.kind, again.error]).toEqual(['approval_unknown', 'invalid_grant'])
  })

  test('waits where its wish says so, and tells what for', async () => {
    const here = await asking()
    const told: PendingApproval[] = []
    const onPending = (approval: PendingApproval) => {
      told.push(approval)
      void answered(approval, 'approve')
    }
    granted(await here.agent.exchange({ ...here.wish, wait: true, onPending }))
    expect(told).toHaveLength(1)
  })

  test('is a refusal of its own once it is denied', async () => {
    const here = await asking()
    const onPending = (approval: PendingApproval) => void answered(approval, 'deny')
    const refusal = refused(await here.agent.exchange({ ...here.wish, wait: true, onPending }))
    expect([refusal.kind, refusal.error]).toEqual(['approval_denied', 'access_denied'])
    expect(refusal.advice).toMatch(/said no/)
  })

  test('is void once what it rests on is gone', async () => {
    const here = await asking()
    const approval = await pendingOf(here)
    await approver.call('DELETE', `/admin/delegations/${here.world.delegation.id}`)
    expect(refused(await here.agent.waitForApproval({ ...approval, intervalSeconds: 0.01 })).kind).toBe('approval_void')
  })

  test('is nothing to another agent, or with another key', async () => {
    const approval = { ...(await pendingOf(await asking())), intervalSeconds: 0.01 }
    const other = await asking()
    expect(refused(await other.agent.waitForApproval(approval)).kind).toBe('approval_unknown')
  })

  test('in a batch is said for each', async () => {
    const here = await asking()
    const { subjectToken, resource, action } = here.world.wish
    const outcome = await here.agent.exchangeAll({
      ...{ subjectToken, resource, turn: 'batch', actions: [action as Wish['action'], { type: 'nothing' }] },
    })
    if (!Array.isArray(outcome)) throw new Error('the whole was refused')
    expect(refused(outcome[0]).approval?.authReqId).toMatch(/^ap_/)
    expect(refused(outcome[1]).approval).toBeUndefined()
  })
})

describe('waiting', () => {
  const open: TinyServer[] = []
  afterEach(async () => {
    for (const tiny of open.splice(0)) await tiny.close()
  })
  const TOKEN = {
    access_token: 'aaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb.cccccccccccccccccccccc',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    ...{ token_type: 'DPoP', expires_in: 60 },
    authorization_details: [{ type: 'email_send', locations: ['https://mail.example'] }],
  }
  const PENDING = { error: 'authorization_pending', auth_req_id: 'ap_x', expires_in: 60, interval: 1 }
  type Reply = readonly [status: number, body: object, headers?: Record<string, string>] | 'cut'

  /** An agent at an issuer that answers polls so, one after the other. */
  async function at(replies: readonly Reply[], options: object = {}) {
    const times: number[] = []
    const left = [...replies]
    const tiny = await startTinyIssuer((request, response) => {
      if (!request.body.includes('auth_req_id')) return answer(response, 400, { error: 'invalid_request' })
      times.push(Date.now())
      const reply = left.shift() ?? [400, { error: 'access_denied' }]
      if (reply === 'cut') response.destroy()
      else answer(response, ...reply)
    })
    open.push(tiny)
    const agent = createAgent({ issuer: tiny.origin, id: 'planner', key: await createKey(), ...options })
    return { agent, times, tiny }
  }
  const approval = (change: Partial<PendingApproval> = {}): PendingApproval => ({
    ...{ authReqId: 'ap_x', expiresAt: new Date(Date.now() + 60_000), intervalSeconds: 0.05 },
    ...change,
  })

  test('goes on while it is pending, at the interval that the server names', async () => {
    const { agent, times, tiny } = await at([
      [400, PENDING],
      [200, TOKEN],
    ])
    expect(granted(await agent.waitForApproval(approval())).resource).toBe('https://mail.example')
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990)
    const form = new URLSearchParams(tiny.received.at(-1)?.body)
    expect(form.get('grant_type')).toBe('urn:openid:params:grant-type:ciba')
    expect(form.get('auth_req_id')).toBe('ap_x')
  })

  test('asks five seconds less often once it was too soon (CIBA Core §11), whatever its retries are', async () => {
    const { agent, times } = await at(
      [
        [400, { error: 'slow_down' }],
        [200, TOKEN],
      ],
      {
        retries: { attempts: 3, maxWaitSeconds: 10 },
      },
    )
    granted(await agent.waitForApproval(approval()))
    expect(times).toHaveLength(2)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(5_000)
  })

  test('is not ended by a server that is away for a moment', async () => {
    const away: Reply = [503, { error: 'temporarily_unavailable' }]
    const { agent, times } = await at(['cut', away, [200, TOKEN]])
    granted(await agent.waitForApproval(approval()))
    expect(times).toHaveLength(3)
  })

  test('ends with the approval: the server says so, or is asked no more', async () => {
    const expired = await at([
      [400, PENDING],
      [400, { error: 'expired_token' }],
    ])
    const refusal = refused(await expired.agent.waitForApproval(approval()))
    expect([refusal.kind, refusal.error]).toEqual(['approval_expired', 'expired_token'])
    const gone = await at(['cut', 'cut', 'cut', 'cut', 'cut', 'cut', 'cut', 'cut', 'cut'])
    const soon = approval({ expiresAt: new Date(Date.now() + 200) })
    await expect(gone.agent.waitForApproval(soon)).rejects.toThrow(WritFault)
  })

  test('stops when its caller does', async () => {
    const { agent, times } = await at([])
    const controller = new AbortController()
    const waiting = agent.waitForApproval(approval({ intervalSeconds: 30 }), { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 50)
    await expect(waiting).rejects.toThrow('enough')
    expect(times).toEqual([])
  })

  test.each<[string, Reply, string]>([
    ['no', [400, { error: 'access_denied', error_description: 'the action was not approved' }], 'approval_denied'],
    ['another no', [400, { error: 'access_denied', error_description: 'outside: to[0]' }], 'not_permitted'],
    ['gone', [400, { error: 'invalid_grant' }], 'approval_unknown'],
    ['suspended', [401, { error: 'invalid_client' }], 'not_authenticated'],
    ['what is not known', [400, { error: 'tea_time' }], 'unknown'],
  ])('ends with %s', async (_, reply, kind) => {
    const { agent } = await at([reply])
    expect(refused(await agent.waitForApproval(approval())).kind).toBe(kind)
  })

  test('takes nothing for an approval that is none', async () => {
    const { agent } = await at([])
    for (const change of [
      { authReqId: '' },
      { authReqId: 'a b' },
      { expiresAt: new Date('x') },
      { intervalSeconds: 0 },
    ]) {
      await expect(agent.waitForApproval(approval(change))).rejects.toThrow(TypeError)
    }
    await expect(
      agent.exchange({ subjectToken: 'x', resource: 'https://a.example', action: { type: 'a' }, purpose: '' }),
    ).rejects.toThrow(TypeError)
  })

  test('shows no address that a browser would run', async () => {
    const tiny = await startTinyIssuer((_, response) =>
      answer(response, 400, { ...PENDING, approval_uri: 'javascript:alert(1)' }),
    )
    open.push(tiny)
    const agent = createAgent({ issuer: tiny.origin, id: 'planner', key: await createKey() })
    const wish = { subjectToken: 'x', resource: 'https://a.example', action: { type: 'a' } }
    expect(refused(await agent.exchange(wish)).approval).not.toHaveProperty('approvalUri')
  })
})
