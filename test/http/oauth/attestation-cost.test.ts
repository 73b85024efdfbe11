import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { attested, exchangeAttested } from '../../support/attestation.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld } from '../../support/world.ts'
import { makeKey, proof } from '../../wire/signing.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

/** Runs `work` and counts what it verifies and signs, by the functions that everything here signs and verifies with. */
async function counting(work: () => Promise<unknown>) {
  const { verify, createVerify, sign } = crypto
  const counts = { verified: 0, signed: 0 }
  crypto.verify = ((...args: Parameters<typeof verify>) => {
    counts.verified++
    return verify(...args)
  }) as typeof verify
  crypto.createVerify = ((...args: Parameters<typeof createVerify>) => {
    counts.verified++
    return createVerify(...args)
  }) as typeof createVerify
  crypto.sign = ((...args: Parameters<typeof sign>) => {
    counts.signed++
    return sign(...args)
  }) as typeof sign
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(crypto, { verify, createVerify, sign })
    syncBuiltinESMExports()
  }
  return counts
}

test.each(['a registered key', 'an instance'])(
  'one exchange by %s costs one verification, of the proof, and one signature, of the token; only the first costs two',
  async (kind) => {
    const world = await createWorld(server)
    const by = await attested(server.issuer, world.agent, kind === 'an instance' ? makeKey() : undefined)
    const proofs = Array.from({ length: 4 }, () =>
      proof(by.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() }),
    )
    const costs = []
    // The subject token is remembered as well: here as everywhere it is verified once.
    await exchangeAttested(server.issuer, await attested(server.issuer, world.agent), world.wish)
    for (const one of proofs) {
      costs.push(
        await counting(async () => {
          // Signed above but for the assertion, which the helper makes and does not send.
          const answer = await exchangeAttested(server.issuer, by, world.wish, { proofs: [one] })
          expect(answer.status, answer.text).toBe(200)
        }),
      )
    }
    const [first, ...others] = costs
    expect(first?.verified).toBe(2)
    // One signature more is the helper's own.
    expect(others).toEqual(Array(3).fill({ verified: 1, signed: 2 }))
  },
)
