import { afterAll, beforeAll, expect, test } from 'vitest'
import { attested, exchangeAttested } from '../../support/attestation.ts'
import { countingCrypto } from '../../support/counted-crypto.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld } from '../../support/world.ts'
import { makeKey, proof } from '../../wire/signing.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

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
        await countingCrypto(async () => {
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
