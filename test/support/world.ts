import { randomBytes } from 'node:crypto'
import type { TestKey } from '../wire/signing.ts'
import {
  type AdminApi,
  adminApi,
  type Deviation,
  type Exchange,
  exchange,
  newClient,
  type TestClient,
} from './clients.ts'

/** What an administrator registered for one story: an agent, a principal, a resource server and a delegation between them. */
export interface World {
  readonly issuer: string
  readonly api: AdminApi
  readonly agent: TestClient
  readonly principal: string
  readonly resource: TestClient
  /** The resource's identifier. */
  readonly identifier: string
  readonly delegation: { readonly id: string; readonly subjectToken: string }
  /** An action that the delegation allows. */
  readonly action: Readonly<Record<string, unknown>>
  /** An exchange for `action`, right but for what is changed. */
  readonly wish: Exchange
  readonly exchange: (deviation?: Deviation, wish?: Partial<Exchange>) => ReturnType<typeof exchange>
}

export interface WorldOptions {
  readonly alg?: TestKey['alg']
  /** Bounds without `locations`. */
  readonly bounds?: readonly object[]
  readonly action?: Readonly<Record<string, unknown>>
  readonly resource?: object
  readonly delegation?: object
  /** Of the principal. Default: a person. */
  readonly kind?: 'person' | 'organization' | 'service'
}

const BOUNDS = [
  {
    type: 'email_send',
    to: { $each: { $email_domain: ['example.com'] }, $max_items: 3 },
    subject: { $any: true },
    body: { $any: true },
  },
]
const ACTION = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }

/** Registers a world through the admin API, with names that no other test has. */
export async function createWorld(
  server: { issuer: string; admin: TestClient },
  options: WorldOptions = {},
): Promise<World> {
  const { issuer } = server
  const api = await adminApi(issuer, server.admin)
  const tag = randomBytes(5).toString('hex')
  const agent = newClient(`agent-${tag}`, options.alg)
  const resource = newClient(`mail-${tag}`)
  const principal = `alice-${tag}`
  const identifier = `https://mail-${tag}.example`
  const create = async (path: string, body: object) => {
    const answer = await api.call('POST', path, body)
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }
  await create('/admin/agents', { id: agent.id, name: 'Planner', keys: [{ jwk: agent.key.jwk }] })
  await create('/admin/principals', { id: principal, kind: options.kind ?? 'person', name: 'Alice' })
  await create('/admin/resources', {
    id: resource.id,
    identifier,
    name: 'Mail',
    keys: [{ jwk: resource.key.jwk }],
    ...options.resource,
  })
  const { id, subject_token } = await create('/admin/delegations', {
    principal,
    agent: agent.id,
    resource: identifier,
    authorization_details: options.bounds ?? BOUNDS,
    ...options.delegation,
  })
  const action = options.action ?? ACTION
  const wish = { subjectToken: subject_token as string, resource: identifier, action }
  return {
    issuer,
    api,
    agent,
    principal,
    resource,
    identifier,
    delegation: { id, subjectToken: subject_token },
    action,
    wish,
    exchange: (deviation, change) => exchange(issuer, agent, { ...wish, ...change }, deviation),
  }
}

export const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
