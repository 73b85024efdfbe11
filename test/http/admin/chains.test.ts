import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { given, type Holder, newAgent } from '../../support/chain.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, { delegation: { delegable: { max_depth: 3 } } })
})
afterAll(() => server.close())

const any = { $any: true }
const BOUND = {
  type: 'email_send',
  to: { $each: { $in: ['bob@example.com'] }, $max_items: 1 },
  subject: any,
  body: any,
}
const idOf = ({ subjectToken }: Holder): string => claimsOf(subjectToken).jti

describe('the tree of a delegation', () => {
  const treeOf = async (id: string, query = '') =>
    (await world.api.call('GET', `/admin/delegations/${id}/tree${query}`)).body
  interface Node {
    readonly id: string
    readonly parent?: string
    readonly depth: number
    readonly in_force: boolean
    readonly status: string
    readonly agent_status: string
  }
  let ids: { root: string; a: string; a1: string; a2: string; b: string }
  let agentOfA: string
  beforeAll(async () => {
    const root = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    const agents = await Promise.all(['a', 'a1', 'a2', 'b'].map((name) => newAgent(world, name)))
    const [a, a1, a2, b] = agents as [typeof world.agent, typeof world.agent, typeof world.agent, typeof world.agent]
    agentOfA = a.id
    const one = await given(server.issuer, root, a, [BOUND], { delegable: '{"max_depth":1}' })
    const three = await given(server.issuer, one, a1, [BOUND])
    const two = await given(server.issuer, root, b, [BOUND])
    const four = await given(server.issuer, one, a2, [BOUND])
    ids = { root: world.delegation.id, a: idOf(one), a1: idOf(three), a2: idOf(four), b: idOf(two) }
  })

  test('is a list, each followed by its own children', async () => {
    const { items } = await treeOf(ids.root)
    expect(items.map(({ id, parent, depth }: Node) => [id, parent, depth])).toEqual([
      [ids.root, undefined, 0],
      [ids.a, ids.root, 1],
      [ids.a1, ids.a, 2],
      [ids.a2, ids.a, 2],
      [ids.b, ids.root, 1],
    ])
    expect(items[2]).toMatchObject({
      ...{ authorization_details: [BOUND], granted_by: `agent:${agentOfA}`, principal: world.principal },
      ...{ status: 'active', agent_status: 'active', in_force: true },
    })
    expect(JSON.stringify(items)).not.toContain('subject_token')
  })

  test('begins anywhere, and has no more than what is below', async () => {
    const { items } = await treeOf(ids.a)
    expect(items.map(({ id, parent, depth }: Node) => [id, parent, depth])).toEqual([
      [ids.a, ids.root, 0],
      [ids.a1, ids.a, 1],
      [ids.a2, ids.a, 1],
    ])
    expect((await treeOf(ids.b)).items).toHaveLength(1)
  })

  test('comes page by page', async () => {
    const seen: string[] = []
    let query = '?limit=2'
    for (let page = 0; page < 4; page++) {
      const { items, next_cursor } = await treeOf(ids.root, query)
      seen.push(...items.map(({ id }: Node) => id))
      if (next_cursor === undefined) break
      query = `?limit=2&cursor=${encodeURIComponent(next_cursor)}`
      // Of this tree only.
      expect((await world.api.call('GET', `/admin/delegations/${ids.a}/tree${query}`)).status).toBe(400)
    }
    expect(seen).toEqual([ids.root, ids.a, ids.a1, ids.a2, ids.b])
  })

  test('says what is in force: a suspended agent and a revoked delegation end what is below, and nothing beside', async () => {
    const stateOf = async () =>
      Object.fromEntries((await treeOf(ids.root)).items.map((node: Node) => [node.id, [node.status, node.in_force]]))
    await world.api.call('POST', `/admin/agents/${agentOfA}/suspend`, { reason: 'test' })
    expect(await stateOf()).toEqual({
      ...{ [ids.root]: ['active', true], [ids.b]: ['active', true] },
      ...{ [ids.a]: ['active', false], [ids.a1]: ['active', false], [ids.a2]: ['active', false] },
    })
    await world.api.call('POST', `/admin/agents/${agentOfA}/resume`, {})
    expect((await stateOf())[ids.a2]).toEqual(['active', true])
    await world.api.call('DELETE', `/admin/delegations/${ids.a}`, { reason: 'over' })
    expect(await stateOf()).toEqual({
      ...{ [ids.root]: ['active', true], [ids.b]: ['active', true] },
      ...{ [ids.a]: ['revoked', false], [ids.a1]: ['revoked', false], [ids.a2]: ['revoked', false] },
    })
  })

  test('of nothing is not found', async () => {
    expect((await world.api.call('GET', '/admin/delegations/dlg_none/tree')).status).toBe(404)
  })
})

describe('downstream rules', () => {
  let target: string
  const path = () => `/admin/resources/${world.resource.id}/downstream`
  const rule = (change: object = {}) => ({
    ...{ from: BOUND, to_resource: target, authorization_details: [BOUND], ...change },
  })
  beforeAll(async () => {
    target = `https://next-${world.resource.id}.example`
    const body = { id: `next-${world.resource.id}`, identifier: target }
    expect((await world.api.call('POST', '/admin/resources', body)).status).toBe(201)
  })

  test('are added, listed, shown and removed; each change is the resource’s own', async () => {
    const etag = async () => (await world.api.call('GET', `/admin/resources/${world.resource.id}`)).headers.etag
    const before = await etag()
    const added = await world.api.call('POST', path(), rule({ max_per_token: 3 }))
    expect(added.status, added.text).toBe(201)
    expect(added.headers.location).toBe(`${path()}/${added.body.id}`)
    expect(added.body).toStrictEqual({
      ...{ id: expect.stringMatching(/^dsr_/), from: BOUND, to_resource: target, authorization_details: [BOUND] },
      ...{ max_per_token: 3, status: 'active', created_by: server.admin.id, created_at: expect.any(Number) },
    })
    const between = await etag()
    expect(between).not.toBe(before)
    const stale = await world.api.call('PATCH', `/admin/resources/${world.resource.id}`, { name: 'x' }, [
      ['If-Match', String(before)],
    ])
    expect(stale.status).toBe(412)
    expect((await world.api.call('GET', path())).body.items).toEqual([added.body])
    const removed = await world.api.call('DELETE', `${path()}/${added.body.id}`)
    expect(removed.body).toMatchObject({ status: 'removed' })
    expect(await etag()).not.toBe(between)
    const { body } = await world.api.call('GET', `${path()}/${added.body.id}`)
    expect(body).toEqual(removed.body)
    const after = await etag()
    expect((await world.api.call('DELETE', `${path()}/${added.body.id}`)).body).toEqual(removed.body)
    expect(await etag()).toBe(after)
    const records = await world.api.call('GET', `/admin/records?resource=${encodeURIComponent(world.identifier)}`)
    const deeds = records.body.items.map(({ because }: { because?: { operation?: string } }) => because?.operation)
    expect(deeds).toEqual(expect.arrayContaining(['resource.add_downstream_rule', 'resource.remove_downstream_rule']))
  })

  test.each<[string, object, number, string?]>([
    ['no from', { from: undefined }, 422, 'from'],
    ['a from that is no bound', { from: 'x' }, 422, 'from.type'],
    ['a from of an unknown type', { from: { type: 'nothing_known' } }, 422, 'from.type'],
    ['a from with an unknown operator', { from: { ...BOUND, to: { $x: 1 } } }, 422, 'from.to'],
    ['a from of another place', { from: { ...BOUND, locations: ['https://x.example'] } }, 422, 'from.locations'],
    ['no bounds', { authorization_details: [] }, 422, 'authorization_details'],
    ['33 bounds', { authorization_details: Array(33).fill(BOUND) }, 422, 'authorization_details'],
    [
      'a bound that is none',
      { authorization_details: [BOUND, { ...BOUND, colour: 'red' }] },
      422,
      'authorization_details[1].colour',
    ],
    [
      'bounds of another place',
      { authorization_details: [{ ...BOUND, locations: ['https://x.example'] }] },
      422,
      'authorization_details[0].locations',
    ],
    ['a place that is none', { to_resource: 'https://nowhere.example' }, 422, 'to_resource'],
    ['max_per_token 0', { max_per_token: 0 }, 422, 'max_per_token'],
    ['max_per_token 1001', { max_per_token: 1_001 }, 422, 'max_per_token'],
    ['an unknown member', { approval: 'each' }, 422, 'approval'],
  ])('%s is refused', async (_name, change, status, member) => {
    const answer = await world.api.call('POST', path(), rule(change))
    expect(answer.status, answer.text).toBe(status)
    expect(answer.body.errors?.[0]?.member).toBe(member)
  })

  test('to the resource itself, of a resource that is none or retired: refused', async () => {
    expect((await world.api.call('POST', path(), rule({ to_resource: world.identifier }))).status).toBe(422)
    expect((await world.api.call('POST', '/admin/resources/none/downstream', rule())).status).toBe(404)
    expect((await world.api.call('GET', '/admin/resources/none/downstream')).status).toBe(404)
    expect((await world.api.call('GET', `${path()}/dsr_none`)).status).toBe(404)
    expect((await world.api.call('DELETE', `${path()}/dsr_none`)).status).toBe(404)
    const gone = `gone-${world.resource.id}`
    await world.api.call('POST', '/admin/resources', { id: gone, identifier: `https://${gone}.example` })
    await world.api.call('DELETE', `/admin/resources/${gone}`)
    expect((await world.api.call('POST', `/admin/resources/${gone}/downstream`, rule())).status).toBe(409)
  })

  test('of another resource are not shown', async () => {
    const { body } = await world.api.call('POST', path(), rule())
    const other = await createWorld(server)
    const elsewhere = `/admin/resources/${other.resource.id}/downstream/${body.id}`
    expect((await world.api.call('GET', elsewhere)).status).toBe(404)
    expect((await world.api.call('DELETE', elsewhere)).status).toBe(404)
    expect((await world.api.call('GET', `${path()}/${body.id}`)).body.status).toBe('active')
  })
})
