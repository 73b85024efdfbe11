import { verify } from 'node:crypto'
import { auth } from 'express-oauth2-jwt-bearer'
import { allowInsecureRequests, validateJwtAccessToken } from 'oauth4webapi'
import type { JsonObject } from '../../../src/core/json.ts'
import { createMemoryReplayStore, createResourceServer, isRefusal } from '../../../src/sdk/resource/index.ts'
import { asReceived, serveWork, told, type Work } from '../harness/serve-work.ts'
import { type Call, openCalls } from './calls.ts'

/** Who verifies: nothing but the two signatures, our SDK, or the library of that name. */
export type Verifier = 'raw' | 'ours' | 'oauth4webapi' | 'express-oauth2-jwt-bearer'

export interface VerifyTold {
  readonly verifier: Verifier
}

/** Depths of the actor chain that work is named after. */
export const DEPTHS = [1, 2, 4, 8] as const

const calls = await openCalls()
const { issuer, resource, origin, path, action } = calls

type Received = Call & { readonly authorization: string }

/** Prepares calls and what this verifier takes for a request, then verifies one after the other. */
function verifying<Prepared>(prepare: (call: Received) => Prepared, check: (prepared: Prepared) => unknown): Work[] {
  let prepared: readonly Prepared[] = []
  return DEPTHS.map((depth) => ({
    prepare: (count) => {
      prepared = calls
        .make(count, depth)
        .map(({ token, proof }) =>
          prepare({ authorization: asReceived(`DPoP ${token}`), proof: asReceived(proof), token }),
        )
    },
    run: async () => {
      for (const one of prepared) await check(one)
    },
  }))
}

const VERIFIERS: Readonly<Record<Verifier, () => readonly Work[]>> = {
  raw: () => {
    const input = (jws: string) => {
      const end = jws.lastIndexOf('.')
      return [Buffer.from(jws.slice(0, end)), Buffer.from(jws.slice(end + 1), 'base64url')] as const
    }
    const keys = [calls.issuerKey, calls.agentKey].map(
      ({ publicKey }) => ({ key: publicKey, dsaEncoding: 'ieee-p1363' }) as const,
    )
    return verifying(
      ({ token, proof }) => [input(token), input(proof)],
      (inputs) => {
        for (const [i, [signed, signature]] of inputs.entries()) {
          if (!verify('sha256', signed, keys[i] as (typeof keys)[0], signature)) throw new Error('not verified')
        }
      },
    )
  },
  ours: () => {
    const replay = createMemoryReplayStore({ maxEntries: 2 ** 24 })
    const server = createResourceServer({ issuer, resource, origin, replay })
    const authorize = ({
      rawHeaders,
      actual,
    }: {
      readonly rawHeaders: readonly string[]
      readonly actual: JsonObject
    }) => server.authorize({ method: 'POST', url: path, rawHeaders }, actual)
    let replayed: Parameters<typeof authorize>[0] | undefined
    return verifying(
      ({ authorization, proof }) => ({
        rawHeaders: ['Host', 'localhost:4000', 'Authorization', authorization, 'DPoP', proof],
        // Built by the resource server from the request: nothing in it is the token's.
        actual: structuredClone(action),
      }),
      async (call) => {
        const outcome = await authorize(call)
        if (isRefusal(outcome)) throw new Error(outcome.detail)
        replayed ??= call
      },
    ).map((work) => ({
      ...work,
      run: async () => {
        await work.run()
        // What passed once does not pass again, or nothing that is measured here is worth anything.
        if (replayed === undefined || !isRefusal(await authorize(replayed))) throw new Error('a replay was let through')
        replayed = undefined
      },
    }))
  },
  oauth4webapi: () => {
    const metadata = { issuer, jwks_uri: `${issuer}/jwks` }
    const options = { requireDPoP: true, [allowInsecureRequests]: true }
    return verifying(
      ({ authorization, proof }) =>
        new Request(origin + path, { method: 'POST', headers: { authorization, dpop: proof } }),
      (request) => validateJwtAccessToken(metadata, request, resource, options),
    )
  },
  'express-oauth2-jwt-bearer': () => {
    const options = { issuerBaseURL: issuer, audience: resource, tokenSigningAlg: 'ES256', strict: true }
    const middleware = auth({ ...options, dpop: { enabled: true, required: true } })
    const host = new URL(origin).host
    return verifying(
      // As much of Express's request as the middleware reads.
      ({ authorization, proof }) => ({
        ...{ method: 'POST', protocol: 'http', originalUrl: path, query: {} },
        headers: { host, authorization, dpop: proof },
        get: (name: string) => (name.toLowerCase() === 'host' ? host : undefined),
        is: () => false,
      }),
      (request) =>
        new Promise<void>((resolve, reject) => {
          const next = (error?: unknown) => (error === undefined ? resolve() : reject(error))
          void middleware(request as never, {} as never, next)
        }),
    )
  },
}

const works = VERIFIERS[told<VerifyTold>().verifier]()
serveWork(Object.fromEntries(DEPTHS.map((depth, i) => [`depth ${depth}`, works[i] as Work])))
