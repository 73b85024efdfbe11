import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUILTIN_ACTION_TYPES } from '../../../src/core/action/builtin/builtin-action-types.ts'
import { sha256Base64url } from '../../../src/core/hash.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import {
  contentDigest,
  createMemoryReplayStore,
  createResourceServer,
  httpRequestAction,
  isRefusal,
  mcpToolCallAction,
  sqlStatementAction,
} from '../../../src/sdk/resource/index.ts'
import { makeKey, proof } from '../../wire/signing.ts'
import { actionToken, startIssuer, type TestIssuer } from './issuer.ts'

const ORIGIN = 'https://rs.example'
const NOW = new Date(1_800_000_000_000)
const htu = `${ORIGIN}/act`
const agent = makeKey('Ed25519')

/** An accepted pair: what the token authorizes, and what the resource server is about to do. */
interface Case {
  readonly type: string
  readonly form: string
  readonly authorized: JsonObject
  readonly actual: JsonObject | readonly JsonObject[]
}

const http = { method: 'POST', url: '/orders?id=7', rawHeaders: ['Content-Type', 'application/json'] }
const httpForms = (body: string) => httpRequestAction(ORIGIN, http, Buffer.from(body)) as readonly JsonObject[]
const mcp = { tool: 'files.move', arguments: { from: '/a', to: ['/b', '/c'], options: { force: false, tries: 3 } } }
const sql = {
  database: 'shop',
  statement: 'select * from public.orders where id = $1',
  parameters: [7, 'x', null],
  tables: ['public.orders', 'public.lines'],
  operation: 'select',
}
const email = {
  type: 'email_send',
  to: ['bob@example.com', 'eve@example.com'],
  cc: ['al@example.com'],
  subject: 'Minutes',
  body: 'All of it.',
}
const payment = {
  type: 'payment_initiation',
  instructedAmount: { currency: 'EUR', amount: '123.50' },
  creditorName: 'Merchant A',
  creditorAccount: { iban: 'DE02100100109307118603', bic: 'PBNKDEFF' },
  remittanceInformationUnstructured: 'Ref Number Merchant',
}
const formsOf = (type: string, name: string, forms: readonly JsonObject[]): Case[] =>
  forms.map((authorized, i) => ({ type, form: `${name} ${i + 1}`, authorized, actual: forms }))

const CASES: readonly Case[] = [
  ...formsOf('http_request', 'with a body', httpForms('{"n":1}')),
  ...formsOf('http_request', 'empty body', httpForms('')),
  ...formsOf('mcp_tool_call', 'form', mcpToolCallAction(mcp)),
  ...formsOf('sql_statement', 'form', sqlStatementAction(sql)),
  ...formsOf('sql_statement', 'no parameters, form', sqlStatementAction({ ...sql, parameters: [] })),
  { type: 'email_send', form: 'plain', authorized: email, actual: email },
  {
    type: 'email_send',
    form: 'body digested in the token',
    authorized: { ...email, body: { s256: sha256Base64url(email.body) } },
    actual: email,
  },
  {
    type: 'email_send',
    form: 'body digested by the server',
    authorized: email,
    actual: { ...email, body: contentDigest(email.body) },
  },
  { type: 'payment_initiation', form: 'plain', authorized: payment, actual: payment },
]

type Kind = 'value' | 'character' | 'digest' | 'type' | 'location' | 'add' | 'remove' | 'nest' | 'reorder'
interface Mutation {
  readonly kind: Kind
  readonly what: string
  readonly mutated: JsonObject
}

const isArray = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value)
const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !isArray(value)

/** Every way to change one thing in a value, with where it was changed. */
function* changes(value: JsonValue, at: string): Generator<{ kind: Kind; what: string; value: JsonValue }> {
  yield { kind: 'nest', what: `${at} in an array`, value: [value] }
  yield { kind: 'nest', what: `${at} in an object`, value: { value } }
  for (const other of [null, true, 0, '', [], {}] as JsonValue[]) {
    if (JSON.stringify(other) !== JSON.stringify(value))
      yield { kind: 'value', what: `${at} is ${JSON.stringify(other)}`, value: other }
  }
  if (typeof value === 'number')
    for (const other of [value + 1, -value - 1, String(value)])
      yield { kind: 'value', what: `${at} is ${other}`, value: other }
  if (typeof value === 'boolean') yield { kind: 'value', what: `${at} is ${!value}`, value: !value }
  if (typeof value === 'string') {
    const kind = /^[A-Za-z0-9_-]{43}$/.test(value) ? 'digest' : 'character'
    for (let i = 0; i < value.length; i++) {
      yield {
        kind,
        what: `${at}, character ${i}`,
        value: value.slice(0, i) + (value[i] === 'x' ? 'y' : 'x') + value.slice(i + 1),
      }
      yield { kind, what: `${at}, character ${i} gone`, value: value.slice(0, i) + value.slice(i + 1) }
    }
    for (const other of [
      `${value} `,
      ` ${value}`,
      `${value}\u0301`,
      `${value}\u200b`,
      value.toUpperCase(),
      value.toLowerCase(),
    ]) {
      if (other !== value) yield { kind, what: `${at} is ${JSON.stringify(other)}`, value: other }
    }
    if (kind !== 'digest')
      yield {
        kind: 'digest',
        what: `${at} as a digest of something else`,
        value: { s256: sha256Base64url(`${value} `) },
      }
  }
  if (isArray(value)) {
    const reversed = [...value].reverse()
    if (JSON.stringify(reversed) !== JSON.stringify(value))
      yield { kind: 'reorder', what: `${at} reversed`, value: reversed }
    yield { kind: 'add', what: `${at} with null at the end`, value: [...value, null] }
    for (const [i, item] of value.entries()) {
      yield { kind: 'add', what: `${at}[${i}] twice`, value: value.toSpliced(i, 0, item) }
      yield { kind: 'remove', what: `${at}[${i}] gone`, value: value.toSpliced(i, 1) }
      for (const inner of changes(item, `${at}[${i}]`)) yield { ...inner, value: value.with(i, inner.value) }
    }
  }
  if (isObject(value)) for (const inner of objectChanges(value, `${at}.`)) yield { ...inner, value: inner.mutated }
}

function* objectChanges(object: JsonObject, at: string): Generator<Mutation> {
  for (const name of ['extra', 'cc2', 'constructor_', ' type', '$any']) {
    yield { kind: 'add', what: `${at}${name} added`, mutated: { ...object, [name]: 'x' } }
  }
  yield { kind: 'add', what: `${at}extra added as null`, mutated: { ...object, extra: null } }
  for (const [name, member] of Object.entries(object)) {
    const { [name]: _, ...rest } = object
    // The call happens at this resource: an action without its location is the same action.
    if (at !== '' || name !== 'locations') yield { kind: 'remove', what: `${at}${name} gone`, mutated: rest }
    yield { kind: 'value', what: `${at}${name} renamed`, mutated: { ...rest, [name.toUpperCase()]: member } }
    for (const inner of changes(member, at + name)) {
      const isTop = at === '' && (name === 'type' || name === 'locations')
      const kind: Kind = isTop ? (name === 'type' ? 'type' : 'location') : inner.kind
      yield { kind, what: inner.what, mutated: { ...object, [name]: inner.value } }
    }
  }
}

function* mutationsOf(authorized: JsonObject): Generator<Mutation> {
  const whole: JsonObject = { ...authorized, locations: [ORIGIN] }
  yield* objectChanges(whole, '')
  for (const { type } of BUILTIN_ACTION_TYPES) {
    if (type !== authorized.type) yield { kind: 'type', what: `type is ${type}`, mutated: { ...whole, type } }
  }
  for (const locations of [['https://other.example'], [`${ORIGIN}/`], [ORIGIN, ORIGIN], []]) {
    yield { kind: 'location', what: `locations are ${JSON.stringify(locations)}`, mutated: { ...whole, locations } }
  }
  yield { kind: 'nest', what: 'the action inside an object', mutated: { type: whole.type ?? '', action: whole } }
}

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.close())

describe('the binding: what a token authorizes is what is executed', () => {
  const counts = new Map<string, Record<string, number>>()
  const count = (type: string, name: string) => {
    const row = counts.get(type) ?? {}
    row[name] = (row[name] ?? 0) + 1
    counts.set(type, row)
  }

  const makeServer = () =>
    createResourceServer({
      issuer: issuer.url,
      resource: ORIGIN,
      origin: ORIGIN,
      replay: createMemoryReplayStore(),
      now: () => NOW,
    })
  const run = (server: ReturnType<typeof makeServer>, authorized: JsonObject, actual: Case['actual']) => {
    const accessToken = actionToken(issuer, { resource: ORIGIN, agent, action: authorized, now: NOW })
    const dpop = proof(agent, { method: 'POST', htu, now: NOW, accessToken })
    const rawHeaders = ['Authorization', `DPoP ${accessToken}`, 'DPoP', dpop]
    return server.authorize({ method: 'POST', url: '/act', rawHeaders }, actual)
  }

  test.each(CASES)(
    '$type, $form: accepted as it is, and refused after every change',
    async ({ type, authorized, actual }) => {
      const server = makeServer()
      expect(isRefusal(await run(server, authorized, actual))).toBe(false)
      count(type, 'accepted')
      for (const { kind, what, mutated } of mutationsOf(authorized)) {
        // A mutation may happen to be another form of the very same call: an empty body with and without its digest.
        if (isSameCall(mutated, actual)) continue
        // The change in the token: the call stays as it is.
        const outcome = await run(server, mutated, actual)
        expect(isRefusal(outcome) ? 'refused' : what).toBe('refused')
        count(type, kind)
      }
    },
    120_000,
  )

  test.each(CASES)(
    '$type, $form: refused after every change of the call',
    async ({ type, authorized, actual }) => {
      const server = makeServer()
      const accessToken = actionToken(issuer, { resource: ORIGIN, agent, action: authorized, now: NOW })
      const rawHeaders = [
        'Authorization',
        `DPoP ${accessToken}`,
        'DPoP',
        proof(agent, { method: 'POST', htu, now: NOW, accessToken }),
      ]
      const credentials = await server.verify({ method: 'POST', url: '/act', rawHeaders })
      if (isRefusal(credentials)) throw new Error(credentials.detail)
      for (const { kind, what, mutated } of mutationsOf(authorized)) {
        const outcome = await server.enforce(credentials, mutated)
        expect(isRefusal(outcome) ? outcome.code : what).toBe('action_mismatch')
        count(type, kind)
      }
      // None of them burned the token: the right call still goes through, once.
      expect(isRefusal(await server.enforce(credentials, actual))).toBe(false)
      expect(await server.enforce(credentials, actual)).toMatchObject({ code: 'token_replayed' })
    },
    120_000,
  )

  test('every built-in type was taken, every kind of change was made', () => {
    console.log('changes refused, for each type')
    console.table(Object.fromEntries(counts))
    expect([...counts.keys()].sort()).toEqual(BUILTIN_ACTION_TYPES.map(({ type }) => type).sort())
    const everywhere: Kind[] = ['value', 'character', 'digest', 'type', 'location', 'add', 'remove', 'nest']
    for (const [type, row] of counts)
      for (const kind of everywhere) expect(row[kind] ?? 0, `${type}: ${kind}`).toBeGreaterThan(0)
    for (const type of ['email_send', 'mcp_tool_call', 'sql_statement'])
      expect(counts.get(type)?.reorder).toBeGreaterThan(0)
  })
})

function isSameCall(mutated: JsonObject, actual: Case['actual']): boolean {
  const { locations, ...rest } = mutated
  if (JSON.stringify(locations) !== JSON.stringify([ORIGIN])) return false
  const sorted = (object: JsonObject) => JSON.stringify(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
  const forms = Array.isArray(actual) ? (actual as readonly JsonObject[]) : [actual as JsonObject]
  return forms.some((form) => sorted(form) === sorted(rest))
}
