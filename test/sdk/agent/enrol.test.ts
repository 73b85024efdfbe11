import { createPublicKey, verify } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { createKey, enrol, isWritRefusal, WritFault } from '../../../src/sdk/agent/index.ts'
import { expectNotShown, refused } from './agents.ts'
import { answer, jwtParts, startTinyServer, type TinyServer } from './tiny-server.ts'

const CODE = 'one-time-code-0123456789'

let server: TinyServer
afterEach(() => server.close())
/** Answers as an issuer would, but for what is changed. */
const answering = async (change: (kid: string) => object = () => ({}), status = 201) => {
  server = await startTinyServer((request, response, { origin }) => {
    const { header } = jwtParts(request.headers.dpop)
    answer(response, status, { agent: 'planner', issuer: origin, kid: '', ...change(String(header.kid)) })
  })
  return server.origin
}

describe('an enrolment', () => {
  test.each(['ES256', 'Ed25519'] as const)('sends the code with a proof by the new key: %s', async (alg) => {
    const key = await createKey({ alg })
    const issuer = await answering(() => ({ kid: key.kid }))
    expect(await enrol({ issuer, code: CODE, key, label: 'laptop' })).toEqual({
      issuer,
      agent: 'planner',
      kid: key.kid,
    })
    const [request, ...more] = server.received
    expect(more).toEqual([])
    expect([request?.method, request?.url, request?.headers['content-type']]).toEqual([
      'POST',
      '/enrol',
      'application/json',
    ])
    expect(JSON.parse(request?.body ?? '')).toEqual({ code: CODE, label: 'laptop' })
    const [input = '', signature = ''] = String(request?.headers.dpop).split(/\.(?=[^.]*$)/)
    const { header, claims } = jwtParts(request?.headers.dpop)
    expect(header).toEqual({ typ: 'dpop+jwt', alg, jwk: key.publicJwk })
    expect(claims).toMatchObject({ htm: 'POST', htu: `${issuer}/enrol` })
    expect(Math.abs(Number(claims.iat) - Date.now() / 1_000)).toBeLessThan(30)
    const publicKey = createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' })
    const how = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    const digest = alg === 'ES256' ? 'sha256' : null
    expect(verify(digest, Buffer.from(input), how, Buffer.from(signature, 'base64url'))).toBe(true)
  })

  test('a code that cannot be used is a refusal, without the code', async () => {
    const issuer = await answering(() => ({ error: 'invalid_grant', error_description: 'the code is not good' }), 400)
    const refusal = refused(await enrol({ issuer, code: CODE, key: await createKey() }))
    expect(refusal).toMatchObject({ kind: 'code_unusable', error: 'invalid_grant', status: 400 })
    expectNotShown(refusal, CODE)
  })

  test.each<[string, (kid: string) => object]>([
    ['another key', () => ({ kid: 'A'.repeat(43) })],
    ['another issuer', () => ({ issuer: 'https://evil.example' })],
    ['nobody', () => ({ agent: undefined })],
  ])('an answer about %s is a fault, without the code', async (_name, change) => {
    const key = await createKey()
    const issuer = await answering(() => ({ kid: key.kid, ...change(key.kid) }))
    const fault = await enrol({ issuer, code: CODE, key }).catch((thrown: unknown) => thrown)
    expect(fault).toBeInstanceOf(WritFault)
    expect(isWritRefusal(fault)).toBe(false)
    expectNotShown(fault, CODE)
  })

  test('nothing is sent to an issuer that is none, or without a code', async () => {
    await answering()
    const key = await createKey()
    await expect(enrol({ issuer: 'http://as.example', code: CODE, key })).rejects.toThrow('issuer must')
    await expect(enrol({ issuer: server.origin, code: '', key })).rejects.toThrow('code must')
    expect(server.received).toEqual([])
  })
})
