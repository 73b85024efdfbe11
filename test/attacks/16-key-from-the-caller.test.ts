import { createHmac, createPublicKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused, issued } from '../http/oauth/answers.ts'
import { introspect, newClient, seconds, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { proof } from '../wire/signing.ts'

let server: TestServer
let world: World
/** The attacker's own key set, and whether anybody came to fetch it. */
let keySet: Server
let fetches = 0
const mallory = newClient('mallory')
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
  keySet = createServer((_request, response) => {
    fetches++
    response.end(JSON.stringify({ keys: [{ ...mallory.key.jwk, kid: mallory.key.jkt }] }))
  })
  await new Promise<void>((resolve) => keySet.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  keySet.close()
  await server.close()
})

const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
type Signature = (input: string) => Buffer

/** A JWT whose every part is chosen. */
function forged(header: object, claims: object, signature: Signature): string {
  const input = `${segment(header)}.${segment(claims)}`
  return `${input}.${signature(input).toString('base64url')}`
}

const by =
  (key: KeyObject): Signature =>
  (input) =>
    sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
const inDer =
  (key: KeyObject): Signature =>
  (input) =>
    sign('sha256', Buffer.from(input), key)
const withSecret =
  (secret: string | Buffer): Signature =>
  (input) =>
    createHmac('sha256', secret).update(input).digest()
const none: Signature = () => Buffer.alloc(0)

/** How a JWT that ought to be signed by `owner` is signed by somebody else. */
function forgeries(owner: { publicKey: KeyObject; jwk: object; jkt: string }): [string, object, Signature][] {
  const url = `http://127.0.0.1:${(keySet.address() as AddressInfo).port}/keys`
  const own = by(mallory.key.privateKey)
  const pem = owner.publicKey.export({ type: 'spki', format: 'pem' })
  const der = owner.publicKey.export({ type: 'spki', format: 'der' })
  const es256 = { alg: 'ES256', kid: owner.jkt }
  return [
    ['another key under the right kid', es256, own],
    ['another key under its own kid', { alg: 'ES256', kid: mallory.key.jkt }, own],
    ['another key and no kid', { alg: 'ES256' }, own],
    ['its own key in the header', { ...es256, jwk: mallory.key.jwk }, own],
    ['its own key in the header, and its kid', { alg: 'ES256', kid: mallory.key.jkt, jwk: mallory.key.jwk }, own],
    ['a jku', { ...es256, jku: url }, own],
    ['a jku and its own kid', { alg: 'ES256', kid: mallory.key.jkt, jku: url }, own],
    ['an x5u', { ...es256, x5u: url }, own],
    ['an x5c', { ...es256, x5c: [der.toString('base64')] }, own],
    ['a kid that is a path', { alg: 'ES256', kid: '../../../../dev/null' }, own],
    ['a kid that is SQL', { alg: 'ES256', kid: "' OR '1'='1" }, own],
    ['a kid every object has', { alg: 'ES256', kid: 'constructor' }, own],
    ['alg none and no signature', { alg: 'none', kid: owner.jkt }, none],
    ['alg None', { alg: 'None' }, none],
    ['no alg', { kid: owner.jkt }, none],
    ['ES256 and no signature', es256, none],
    ['ES256 and a signature of zeros (CVE-2022-21449)', es256, () => Buffer.alloc(64)],
    ['HS256 with the public key as the secret, PEM', { alg: 'HS256', kid: owner.jkt }, withSecret(pem)],
    ['HS256 with the public key as the secret, DER', { alg: 'HS256', kid: owner.jkt }, withSecret(der)],
    ['HS256 with the public key as the secret, JWK', { alg: 'HS256' }, withSecret(JSON.stringify(owner.jwk))],
    ['HS256 with an empty secret', { alg: 'HS256' }, withSecret('')],
    ['an alg of another key type', { alg: 'Ed25519', kid: owner.jkt }, own],
    ['an alg that is not offered', { alg: 'RS256', kid: owner.jkt }, own],
    ['an alg every object has', { alg: 'constructor', kid: owner.jkt }, own],
  ]
}

/** Signed by the right key, and still not to be taken. */
function mangled(owner: { privateKey: KeyObject; jkt: string }): [string, object, Signature][] {
  const right = by(owner.privateKey)
  const es256 = { alg: 'ES256', kid: owner.jkt }
  return [
    [
      'a crit that nobody understands',
      { ...es256, crit: ['https://evil.example/ext'], 'https://evil.example/ext': 1 },
      right,
    ],
    ['a crit that names exp', { ...es256, crit: ['exp'], exp: 1 }, right],
    ['an unencoded payload (RFC 7797)', { ...es256, crit: ['b64'], b64: false }, right],
    ['a signature in DER', es256, inDer(owner.privateKey)],
    ['a signature with a byte more', es256, (input) => Buffer.concat([right(input), Buffer.alloc(1)])],
    ['a right signature under another alg', { alg: 'EdDSA', kid: owner.jkt }, right],
    ['a right signature under alg none', { alg: 'none', kid: owner.jkt }, right],
  ]
}

describe('a client assertion', () => {
  const claims = () => {
    const now = seconds()
    const { id } = world.agent
    return { iss: id, sub: id, aud: server.issuer, jti: randomUUID(), iat: now, exp: now + 60 }
  }
  test('by a key, or in a way, that the caller picked is refused', async () => {
    for (const [name, header, signature] of [...forgeries(world.agent.key), ...mangled(world.agent.key)]) {
      const client_assertion = forged({ typ: 'JWT', ...header }, claims(), signature)
      const answer = await world.exchange({ form: { client_assertion } })
      expect([name, answer.status, answer.body.error]).toEqual([name, 401, 'invalid_client'])
      expectRefused(answer, 401, 'invalid_client')
    }
  })

  test('by the right key under the kid of another is refused', async () => {
    for (const kid of [mallory.key.jkt, server.admin.key.jkt, 'constructor', '']) {
      const client_assertion = forged({ alg: 'ES256', kid }, claims(), by(world.agent.key.privateKey))
      expectRefused(await world.exchange({ form: { client_assertion } }), 401, 'invalid_client')
    }
  })

  test('made by hand in the right way is taken: the forgeries fail for what is forged', async () => {
    const client_assertion = forged(
      { alg: 'ES256', kid: world.agent.key.jkt },
      claims(),
      by(world.agent.key.privateKey),
    )
    expect((await world.exchange({ form: { client_assertion } })).status).toBe(200)
  })
})

describe('a DPoP proof', () => {
  const claims = () => ({ jti: randomUUID(), htm: 'POST', htu: `${server.issuer}/token`, iat: seconds() })
  test('under the key of the agent by another key, or mangled, is refused', async () => {
    const { key } = world.agent
    for (const [name, header, signature] of [...forgeries(key), ...mangled(key)]) {
      const jwk = 'jwk' in header ? header.jwk : key.jwk
      const forgery = forged({ typ: 'dpop+jwt', ...header, jwk }, claims(), signature)
      const answer = await world.exchange({ proofs: [forgery] })
      expect([name, answer.status, answer.body.error]).toEqual([name, 400, 'invalid_dpop_proof'])
    }
  })

  test('made by hand in the right way is taken', async () => {
    const { key } = world.agent
    const made = forged({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk }, claims(), by(key.privateKey))
    expect((await world.exchange({ proofs: [made] })).status).toBe(200)
  })
})

describe('a token of this server', () => {
  /** The server's public key, as everyone can fetch it. */
  const serverKey = async () => {
    const { body } = await send(`${server.issuer}/jwks`)
    const { kid, kty, crv, x, y } = body.keys[0]
    const jwk = { kty, crv, x, y }
    return { jkt: kid, jwk, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) }
  }

  test('as a subject token', async () => {
    for (const [name, header, signature] of forgeries(await serverKey())) {
      const subject_token = forged({ typ: 'at+jwt', ...header }, claimsOf(world.wish.subjectToken), signature)
      const answer = await world.exchange({ form: { subject_token } })
      expect([name, answer.status, answer.body.error]).toEqual([name, 400, 'invalid_grant'])
    }
  })

  test('at introspection', async () => {
    const claims = claimsOf(await issued(world.exchange()))
    for (const [name, header, signature] of forgeries(await serverKey())) {
      const answer = await introspect(
        server.issuer,
        world.resource,
        forged({ typ: 'at+jwt', ...header }, claims, signature),
      )
      expect([name, answer.status, answer.body]).toEqual([name, 200, { active: false }])
    }
  })

  test('at the admin API, bound to the key of the forger', async () => {
    const claims = { ...claimsOf(world.api.token), cnf: { jkt: mallory.key.jkt } }
    const url = `${server.issuer}/admin/agents`
    for (const [name, header, signature] of forgeries(await serverKey())) {
      const accessToken = forged({ typ: 'at+jwt', ...header }, claims, signature)
      const answer = await send(url, {
        headers: [
          ['Authorization', `DPoP ${accessToken}`],
          ['DPoP', proof(mallory.key, { method: 'GET', htu: url, now: new Date(), accessToken })],
        ],
      })
      expect([name, answer.status]).toEqual([name, 401])
    }
  })
})

test('nobody has fetched anything from where a header said', () => {
  expect(fetches).toBe(0)
})
