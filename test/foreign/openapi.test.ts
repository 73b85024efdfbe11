import { randomUUID } from 'node:crypto'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import type { AxiosResponse } from 'axios'
import { type Document, type OpenAPIClient, OpenAPIClientAxios } from 'openapi-client-axios'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminApi, type Answer, adminApi, newClient } from '../support/clients.ts'
import { type Described, described, type OpenapiDocument } from '../support/described.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld } from '../support/world.ts'
import { proof } from '../wire/signing.ts'

let server: TestServer
let admin: AdminApi
let document: OpenapiDocument
let client: OpenAPIClient
let description: Described

beforeAll(async () => {
  server = await startTestServer()
  admin = await adminApi(server.issuer, server.admin, 'admin')
  document = (await admin.call('GET', '/admin/openapi.json')).body
  description = described(document)
  client = await drivenBy(document)
})
afterAll(() => server?.close())

/** A client that knows the API from its document alone; what is ours is that each request gets its token and proof. */
async function drivenBy(definition: Document): Promise<OpenAPIClient> {
  const api = new OpenAPIClientAxios({ definition, axiosConfigDefaults: { validateStatus: () => true } })
  const made = await api.init()
  made.interceptors.request.use((config) => {
    const method = (config.method ?? 'get').toUpperCase()
    const htu = new URL(made.getUri(config)).href.split('?')[0] ?? ''
    config.headers.set('Authorization', `DPoP ${admin.token}`)
    config.headers.set('DPoP', proof(server.admin.key, { method, htu, now: new Date(), accessToken: admin.token }))
    return config
  })
  made.interceptors.response.use((response) => {
    const { method = 'get' } = response.config
    const target = new URL(made.getUri(response.config))
    description.check(method.toUpperCase(), target.pathname, toAnswer(response))
    return response
  })
  return made
}

const toAnswer = ({ status, headers, data }: AxiosResponse): Answer => ({
  ...{ status, body: data, text: JSON.stringify(data) },
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)])),
})

/** An operation by its name in the document. */
function call(
  operation: string,
  parameters: Readonly<Record<string, string | number>> = {},
  body?: unknown,
): Promise<AxiosResponse> {
  const method = client[operation]
  if (method === undefined) throw new Error(`the document has no ${operation}`)
  return method({ ...parameters }, body)
}

describe('a linter that others wrote', () => {
  const lint = async (source: OpenapiDocument) => {
    const config = await createConfig({ extends: ['recommended-strict'] })
    const problems = await lintFromString({ source: JSON.stringify(source), absoluteRef: '/openapi.json', config })
    return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`)
  }
  // That a server of these tests is on this machine is no fault of the document.
  const published = () => ({ ...document, servers: [{ url: 'https://as.example.org' }] })

  test('finds no error and nothing to warn of', async () => {
    expect(await lint(published())).toEqual([])
  })
  test.each([
    ['a reference to nothing', (paths: OpenapiDocument) => (paths['/admin/agents'].get.parameters[0].$ref += 'x')],
    [
      'a path parameter that is not described',
      (paths: OpenapiDocument) => delete paths['/admin/agents/{id}'].get.parameters,
    ],
    ['one name for two', (paths: OpenapiDocument) => (paths['/admin/agents'].get.operationId = 'registerAgent')],
    [
      'a response without description',
      (paths: OpenapiDocument) => delete paths['/admin/agents'].get.responses[200].description,
    ],
  ])('would find %s', async (_, spoil) => {
    const spoilt = structuredClone(published())
    spoil(spoilt.paths)
    expect(await lint(spoilt)).not.toEqual([])
  })
})

describe('a client that others wrote, driven by the document', () => {
  test('creates an agent, reads it, and finds it where it was told', async () => {
    const id = `agent-${randomUUID()}`
    const made = await call('registerAgent', {}, { id, keys: [{ jwk: newClient(id).key.jwk }] })
    expect([made.status, made.headers.location]).toEqual([201, `/admin/agents/${id}`])
    const shown = await call('showAgent', { id })
    expect([shown.status, shown.data]).toEqual([200, made.data])
    expect(shown.headers.etag).toBe(made.headers.etag)
  })

  test('patches with the ETag that it read; with the stale one, or none, it is refused and nothing changes', async () => {
    const id = `agent-${randomUUID()}`
    const { headers } = await call('registerAgent', {}, { id })
    const patched = await call('amendAgent', { id, 'If-Match': headers.etag }, { name: 'First' })
    expect([patched.status, patched.data.name]).toEqual([200, 'First'])
    const stale = await call('amendAgent', { id, 'If-Match': headers.etag }, { name: 'Second' })
    expect([stale.status, stale.headers['content-type']]).toEqual([
      412,
      expect.stringContaining('application/problem+json'),
    ])
    expect((await call('amendAgent', { id }, { name: 'Third' })).status).toBe(428)
    expect((await call('showAgent', { id })).data.name).toBe('First')
    const fresh = await call('amendAgent', { id, 'If-Match': patched.headers.etag }, { name: null, owner: 'ops' })
    expect([fresh.status, fresh.data.name, fresh.data.owner]).toEqual([200, id, 'ops'])
  })

  test('repeats a request with its Idempotency-Key: one change, one answer', async () => {
    const id = `agent-${randomUUID()}`
    const parameters = { 'Idempotency-Key': randomUUID() }
    const first = await call('registerAgent', parameters, { id })
    const second = await call('registerAgent', parameters, { id })
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.data).toEqual(first.data)
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect((await call('registerAgent', {}, { id })).status).toBe(409)
    const enrolment = { id, 'Idempotency-Key': randomUUID() }
    expect((await call('offerAgentEnrolment', enrolment, {})).status).toBe(201)
    expect((await call('offerAgentEnrolment', enrolment, {})).status).toBe(409)
  })

  test('pages through 1,000 agents and meets each once, in order', async () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => `paged-${String(n).padStart(4, '0')}`)
    for (let n = 0; n < ids.length; n += 20) {
      const made = await Promise.all(ids.slice(n, n + 20).map((id) => call('registerAgent', {}, { id })))
      expect(new Set(made.map(({ status }) => status))).toEqual(new Set([201]))
    }
    const found: string[] = []
    let [cursor, pages]: [string | undefined, number] = [undefined, 0]
    do {
      const page: AxiosResponse = await call('listAgents', { limit: 150, ...(cursor !== undefined && { cursor }) })
      expect(page.status).toBe(200)
      found.push(...page.data.items.map(({ id }: { id: string }) => id))
      cursor = page.data.next_cursor
      pages++
    } while (cursor !== undefined && pages < 100)
    expect(found.filter((id) => id.startsWith('paged-'))).toEqual(ids)
    expect(found).toEqual([...found].sort())
    expect(pages).toBe(Math.ceil(found.length / 150))
  }, 180_000)

  test('reads what really happened: a delegation, an issuance, a refusal, a dry run', async () => {
    const world = await createWorld(server)
    expect((await world.exchange()).status).toBe(200)
    const records = await call('listRecords', { limit: 200 })
    const decisions = new Set(records.data.items.map(({ decision }: { decision: string }) => decision))
    expect([...decisions].sort()).toEqual(['done', 'issued'])
    const { jti } = records.data.items.find(({ decision }: { decision: string }) => decision === 'issued')
    expect((await call('revokeToken', { jti }, { reason: 'lost' })).data.status).toBe('revoked')
    for (const operation of ['listDelegations', 'listSigningKeys', 'listActionTypes', 'listClients', 'listPrincipals'])
      expect((await call(operation)).status).toBe(200)
    const asked = { agent: world.agent.id, resource: world.identifier, authorization_details: [{ type: 'email_send' }] }
    expect((await call('tryAction', {}, asked)).data.decision).toBe('forbid')
  })
})
