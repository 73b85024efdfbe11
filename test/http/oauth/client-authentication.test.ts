import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  assertion,
  clientToken,
  type Deviation,
  exchangeRequest,
  introspect,
  newClient,
  revoke,
  send,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { proof } from '../../wire/signing.ts'
import { expectRefused } from './answers.ts'

let server: TestServer
let world: World
/** The server's own clock, where a test stops it. */
let stopped: Date | undefined
beforeAll(async () => {
  server = await startTestServer({}, { clock: () => stopped ?? new Date() })
  world = await createWorld(server)
})
beforeEach(() => {
  stopped = undefined
})
afterAll(() => server.close())

/** Stops the server's clock at a whole second, so that a boundary is exactly where the test puts it. */
function stopClock(): number {
  const now = Math.floor(Date.now() / 1_000)
  stopped = new Date(now * 1_000)
  return now
}

const OK = 'issued'
const outcome = async (deviation: Deviation) => {
  const { status, body } = await world.exchange(deviation)
  return status === 200 ? OK : `${status} ${body.error}`
}

describe('the times of an assertion, to the second', () => {
  test.each([
    { name: 'issued now, for a minute', iat: 0, exp: 60, expected: OK },
    { name: 'expired 29 seconds ago', iat: -60, exp: -29, expected: OK },
    { name: 'expired 30 seconds ago', iat: -60, exp: -30, expected: '401 invalid_client' },
    { name: 'expired 31 seconds ago', iat: -60, exp: -31, expected: '401 invalid_client' },
    { name: 'issued in 30 seconds', iat: 30, exp: 90, expected: OK },
    { name: 'issued in 31 seconds', iat: 31, exp: 90, expected: '401 invalid_client' },
    { name: 'alive for 300 seconds', iat: 0, exp: 300, expected: OK },
    { name: 'alive for 301 seconds', iat: 0, exp: 301, expected: '401 invalid_client' },
    { name: 'alive for 301 seconds, of which one has passed', iat: -1, exp: 300, expected: '401 invalid_client' },
    { name: 'alive for 0 seconds', iat: 0, exp: 0, expected: '401 invalid_client' },
    { name: 'expired before it was issued', iat: 10, exp: 5, expected: '401 invalid_client' },
    { name: 'not valid before 30 seconds from now', iat: 0, exp: 60, nbf: 30, expected: OK },
    { name: 'not valid before 31 seconds from now', iat: 0, exp: 60, nbf: 31, expected: '401 invalid_client' },
  ])('$name -> $expected', async ({ iat, exp, nbf, expected }) => {
    const now = stopClock()
    const assertionClaims = { iat: now + iat, exp: now + exp, ...(nbf !== undefined && { nbf: now + nbf }) }
    expect(await outcome({ assertionClaims, proofClaims: { iat: now } })).toBe(expected)
  })
})

describe('the claims of an assertion', () => {
  test.each<[string, Record<string, unknown>]>([
    ['no iss', { iss: undefined }],
    ['another iss', { iss: 'nobody' }],
    ['no sub', { sub: undefined }],
    ['another sub', { sub: 'nobody' }],
    ['no aud', { aud: undefined }],
    ['no jti', { jti: undefined }],
    ['an empty jti', { jti: '' }],
    ['a jti of 257 characters', { jti: 'j'.repeat(257) }],
    ['a jti that is a number', { jti: 1 }],
    ['no iat', { iat: undefined }],
    ['no exp', { exp: undefined }],
    ['an exp that is text', { exp: '9999999999' }],
    ['an exp beyond all numbers', { exp: 1e15 }],
    ['an nbf that is text', { nbf: '0' }],
  ])('%s: 401 invalid_client', async (_name, assertionClaims) => {
    expectRefused(await world.exchange({ assertionClaims }), 401, 'invalid_client')
  })

  test('a jti of 256 characters will do', async () => {
    const jti = world.agent.id.padEnd(256, 'j')
    expect(await outcome({ assertionClaims: { jti } })).toBe(OK)
  })
})

describe('the header of an assertion', () => {
  test.each<[string, Record<string, unknown>]>([
    ['a kid that nobody registered', { kid: newClient('x').key.jkt }],
    ['a kid of another client', { kid: 'ADMIN' }],
    ['a kid that is a number', { kid: 1 }],
    ['an empty kid', { kid: '' }],
    ['the typ of an access token', { typ: 'at+jwt' }],
    ['the typ of a proof', { typ: 'dpop+jwt' }],
    ['a crit that nobody understands (RFC 7515 §4.1.11)', { crit: ['exp'], exp: 1 }],
    ['an empty crit', { crit: [] }],
  ])('%s: 401 invalid_client', async (_name, header) => {
    const assertionHeader = header.kid === 'ADMIN' ? { kid: server.admin.key.jkt } : header
    expectRefused(await world.exchange({ assertionHeader }), 401, 'invalid_client')
  })

  test('without a kid every active key is tried', async () => {
    const second = newClient(world.agent.id, 'Ed25519')
    await world.api.call('POST', `/admin/agents/${world.agent.id}/keys`, { jwk: second.key.jwk })
    const client_assertion = assertion(second, server.issuer, {}, { kid: undefined })
    expect(await outcome({ form: { client_assertion } })).toBe(OK)
  })
})

describe('the time of a proof, to the second', () => {
  test.each([
    { name: '300 seconds old', iat: -300, expected: OK },
    { name: '301 seconds old', iat: -301, expected: '400 invalid_dpop_proof' },
    { name: '300 seconds ahead', iat: 300, expected: OK },
    { name: '301 seconds ahead', iat: 301, expected: '400 invalid_dpop_proof' },
  ])('$name -> $expected', async ({ iat, expected }) => {
    const now = stopClock()
    expect(await outcome({ assertionClaims: { iat: now, exp: now + 60 }, proofClaims: { iat: now + iat } })).toBe(
      expected,
    )
  })
})

describe('a proof that is not right: 400 invalid_dpop_proof', () => {
  const right = () => proof(world.agent.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })
  test.each<[string, () => Deviation]>([
    ['none', () => ({ proofs: [] })],
    ['an empty one', () => ({ proofs: [''] })],
    ['no JWT', () => ({ proofs: ['x'] })],
    ['two', () => ({ proofs: [right(), right()] })],
    ['two in one header', () => ({ proofs: [`${right()}, ${right()}`] })],
    ['one under another spelling of the header', () => ({ proofs: [right()], headers: [['dPoP', right()]] })],
    ['more than 8 kB', () => ({ proofClaims: { padding: 'a'.repeat(9_000) } })],
    ['another typ', () => ({ proofHeader: { typ: 'JWT' } })],
    ['no typ', () => ({ proofHeader: { typ: undefined } })],
    ['no key', () => ({ proofHeader: { jwk: undefined } })],
    ['the key of another agent, its own signature', () => ({ proofHeader: { jwk: server.admin.key.jwk } })],
    ['a private key', () => ({ proofHeader: { jwk: world.agent.key.privateKey.export({ format: 'jwk' }) } })],
    [
      'an RSA key',
      () => ({
        proofHeader: { jwk: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }) },
      }),
    ],
    ['a key that nobody registered', () => ({ proofKey: newClient('x').key })],
    ['a key of the administrator', () => ({ proofKey: server.admin.key })],
    ['a crit', () => ({ proofHeader: { crit: ['x'], x: 1 } })],
    ['no jti', () => ({ proofClaims: { jti: undefined } })],
    ['a jti of 257 characters', () => ({ proofClaims: { jti: 'j'.repeat(257) } })],
    ['no iat', () => ({ proofClaims: { iat: undefined } })],
    ['an iat that is text', () => ({ proofClaims: { iat: String(Math.floor(Date.now() / 1_000)) } })],
    ['no htm', () => ({ proofClaims: { htm: undefined } })],
    ['another htm', () => ({ proofClaims: { htm: 'GET' } })],
    ['htm in lower case', () => ({ proofClaims: { htm: 'post' } })],
    ['no htu', () => ({ proofClaims: { htu: undefined } })],
    ['another htu', () => ({ proofClaims: { htu: `${server.issuer}/introspect` } })],
    ['the htu of another host', () => ({ proofClaims: { htu: 'https://evil.example/token' } })],
    ['a nonce that is a number', () => ({ proofClaims: { nonce: 1 } })],
  ])('%s', async (_name, deviation) => {
    expectRefused(await world.exchange(deviation()), 400, 'invalid_dpop_proof')
  })

  test('a jti of 256 characters will do', async () => {
    expect(await outcome({ proofClaims: { jti: world.agent.id.padEnd(256, 'j') } })).toBe(OK)
  })

  test('what was refused for its proof has used up its assertion', async () => {
    const client_assertion = assertion(world.agent, server.issuer)
    expect(await outcome({ form: { client_assertion }, proofs: [] })).toBe('400 invalid_dpop_proof')
    expect(await outcome({ form: { client_assertion } })).toBe('401 invalid_client')
  })

  test('what was refused for its action has used up both', async () => {
    const proofs = [right()]
    const client_assertion = assertion(world.agent, server.issuer)
    const unknown = { resource: 'https://nowhere.example' }
    expect(await outcome({ form: { client_assertion, ...unknown }, proofs })).toBe('400 invalid_target')
    expect(await outcome({ proofs })).toBe('400 invalid_dpop_proof')
    expect(await outcome({ form: { client_assertion } })).toBe('401 invalid_client')
  })
})

describe('the same rules hold for client_credentials', () => {
  const grant = async (deviation: Deviation) => {
    const answer = await clientToken(server.issuer, world.agent, deviation)
    if (answer.status === 200) return OK
    expectRefused(answer, answer.status, answer.body.error)
    return `${answer.status} ${answer.body.error}`
  }
  // A second inside of each boundary where our clock and the library's must agree, at it where ours decides.
  test.each<[string, (now: number) => Deviation, string]>([
    ['nothing wrong', () => ({}), OK],
    ['no kid', () => ({ assertionHeader: { kid: undefined } }), OK],
    ['the typ of its own', () => ({ assertionHeader: { typ: 'client-authentication+jwt' } }), OK],
    ['an assertion that expired 27 seconds ago', (now) => ({ assertionClaims: { iat: now - 60, exp: now - 27 } }), OK],
    ['an assertion from in 28 seconds', (now) => ({ assertionClaims: { iat: now + 28, exp: now + 90 } }), OK],
    ['an assertion for 300 seconds', (now) => ({ assertionClaims: { iat: now, exp: now + 300 } }), OK],
    ['a proof 297 seconds old', (now) => ({ proofClaims: { iat: now - 297 } }), OK],
    ['a proof 297 seconds ahead', (now) => ({ proofClaims: { iat: now + 297 } }), OK],
    ['a proof with a query', () => ({ proofClaims: { htu: `${server.issuer}/token?a=1` } }), OK],
    [
      'an assertion for 301 seconds',
      (now) => ({ assertionClaims: { iat: now, exp: now + 301 } }),
      '401 invalid_client',
    ],
    ['an assertion for a list', () => ({ assertionClaims: { aud: [server.issuer] } }), '401 invalid_client'],
    [
      'an assertion for the endpoint',
      () => ({ assertionClaims: { aud: `${server.issuer}/token` } }),
      '401 invalid_client',
    ],
    ['no jti', () => ({ assertionClaims: { jti: undefined } }), '401 invalid_client'],
    ['no proof', () => ({ proofs: [] }), '400 invalid_dpop_proof'],
    ['a proof by a key that nobody registered', () => ({ proofKey: newClient('x').key }), '400 invalid_dpop_proof'],
    ['a proof 301 seconds old', (now) => ({ proofClaims: { iat: now - 302 } }), '400 invalid_dpop_proof'],
    ['a proof for another URL', () => ({ proofClaims: { htu: `${server.issuer}/revoke` } }), '400 invalid_dpop_proof'],
  ])('%s', async (_name, deviation, expected) => {
    expect(await grant(deviation(Math.floor(Date.now() / 1_000)))).toBe(expected)
  })

  test('an assertion that was used for one grant is used for the other, and at every endpoint', async () => {
    const client_assertion = assertion(world.agent, server.issuer)
    expect(await outcome({ form: { client_assertion } })).toBe(OK)
    expect(await grant({ form: { client_assertion } })).toBe('401 invalid_client')
    expectRefused(await revoke(server.issuer, world.agent, 'x', { form: { client_assertion } }), 401, 'invalid_client')
  })

  test('and so is a proof', async () => {
    const proofs = [proof(world.agent.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })]
    expect(await grant({ proofs })).toBe(OK)
    expect(await outcome({ proofs })).toBe('400 invalid_dpop_proof')
  })
})

describe('at /introspect and /revoke a proof is not needed, and checked when it is there', () => {
  const endpoints = [
    ['/introspect', introspect],
    ['/revoke', revoke],
  ] as const
  test.each(endpoints)('%s', async (path, ask) => {
    const client = path === '/revoke' ? world.agent : world.resource
    const own = (now = new Date()) => proof(client.key, { method: 'POST', htu: `${server.issuer}${path}`, now })
    expect((await ask(server.issuer, client, 'x')).status).toBe(200)
    const right = own()
    expect((await ask(server.issuer, client, 'x', { proofs: [right] })).status).toBe(200)
    for (const proofs of [[right], [own(), own()], [own(new Date(0))], ['x']]) {
      expectRefused(await ask(server.issuer, client, 'x', { proofs }), 400, 'invalid_dpop_proof')
    }
    expectRefused(
      await ask(server.issuer, client, 'x', { proofs: ['x'], assertionClaims: { aud: 'x' } }),
      401,
      'invalid_client',
    )
    expectRefused(await ask(server.issuer, newClient('nobody'), 'x'), 401, 'invalid_client')
    expectRefused(await ask(server.issuer, client, 'x', { form: { token: undefined } }), 400, 'invalid_request')
    expectRefused(
      await ask(server.issuer, client, 'x', { form: { client_assertion: undefined } }),
      401,
      'invalid_client',
    )
  })
})

test('an exchange that arrives at a server whose clock is right is not bothered by one that was wrong', async () => {
  const now = stopClock()
  stopped = new Date((now + 1_000) * 1_000)
  const { url, ...request } = exchangeRequest(server.issuer, world.agent, world.wish)
  expectRefused(await send(url, request), 401, 'invalid_client')
  stopped = undefined
  expect((await send(url, request)).status).toBe(200)
})
