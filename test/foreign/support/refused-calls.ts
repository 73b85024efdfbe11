import { clientToken } from '../../support/clients.ts'
import type { TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { jwt, makeKey, type TestKey } from '../../wire/signing.ts'

/** An action token of this world, by an exchange that is right. */
export const actionToken = async (world: World): Promise<string> => {
  const { status, body, text } = await world.exchange()
  if (status !== 200) throw new Error(text)
  return body.access_token
}

/** One call, with everything that may deviate in it. */
export interface Call {
  readonly token: string
  readonly scheme: string
  readonly proofs: readonly string[]
}

/** A deviation, and how each library says that it was this which it refused. */
interface RefusedCall {
  readonly what: string
  readonly express: RegExp
  readonly oauth4webapi: RegExp
  /** The right call, but for one thing. */
  readonly call: (right: Right) => Partial<Call> | Promise<Partial<Call>>
}

/** The material of a call that is accepted. */
export interface Right {
  readonly server: TestServer
  readonly world: World
  readonly token: string
  readonly url: string
  readonly prove: (
    claims?: Record<string, unknown>,
    deviation?: { readonly key?: TestKey; readonly accessToken?: string },
  ) => string
}

/** The signature stays, what it signed changes. */
const withClaims = (token: string, change: Record<string, unknown>) => {
  const [header, , signature] = token.split('.')
  const payload = Buffer.from(JSON.stringify({ ...claimsOf(token), ...change })).toString('base64url')
  return `${header}.${payload}.${signature}`
}
const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8'))

/** Calls that every resource server must refuse, each for the one thing in which it deviates. */
export const REFUSED_CALLS: readonly RefusedCall[] = [
  {
    what: 'a proof by another key',
    express: /confirmation mismatch/,
    oauth4webapi: /confirmation mismatch/,
    call: ({ prove }) => ({ proofs: [prove({}, { key: makeKey() })] }),
  },
  {
    what: 'no proof',
    express: /^$/,
    oauth4webapi: /no DPoP HTTP Header/,
    call: () => ({ proofs: [] }),
  },
  {
    what: 'the token as Bearer, without a proof',
    express: /^$/,
    oauth4webapi: /no DPoP HTTP Header/,
    call: () => ({ scheme: 'Bearer', proofs: [] }),
  },
  {
    what: 'the token as Bearer, with a proof',
    express: /not Bearer/,
    oauth4webapi: /scheme is not DPoP/,
    call: () => ({ scheme: 'Bearer' }),
  },
  {
    what: 'two proofs',
    express: /Multiple DPoP proofs/,
    oauth4webapi: /JWE/, // joined by a comma they have five parts, as an encrypted JWT has
    call: ({ prove }) => ({ proofs: [prove(), prove()] }),
  },
  {
    what: 'a proof of another method',
    express: /htm mismatch/,
    oauth4webapi: /htm mismatch/,
    call: ({ prove }) => ({ proofs: [prove({ htm: 'GET' })] }),
  },
  {
    what: 'a proof of another path',
    express: /htu mismatch/,
    oauth4webapi: /htu mismatch/,
    call: ({ prove, url }) => ({ proofs: [prove({ htu: `${url}/all` })] }),
  },
  {
    what: 'a proof of another origin',
    express: /htu mismatch/,
    oauth4webapi: /htu mismatch/,
    call: ({ prove }) => ({ proofs: [prove({ htu: 'https://evil.example/messages' })] }),
  },
  {
    what: 'a proof of an hour ago',
    express: /iat/,
    oauth4webapi: /iat is not recent enough/,
    call: ({ prove }) => ({ proofs: [prove({ iat: Math.floor(Date.now() / 1_000) - 3_600 })] }),
  },
  {
    what: 'a proof made for another token of the same agent',
    express: /"ath" mismatch/,
    oauth4webapi: /ath mismatch/,
    call: async ({ world, prove }) => ({ proofs: [prove({}, { accessToken: await actionToken(world) })] }),
  },
  {
    what: 'a token with another subject under the same signature',
    express: /signature verification failed/,
    oauth4webapi: /signature verification failed/,
    call: ({ token, prove }) => {
      const changed = withClaims(token, { sub: 'mallory' })
      return { token: changed, proofs: [prove({}, { accessToken: changed })] }
    },
  },
  {
    what: 'a token with another action under the same signature',
    express: /signature verification failed/,
    oauth4webapi: /signature verification failed/,
    call: ({ token, prove }) => {
      const [action] = claimsOf(token).authorization_details
      const changed = withClaims(token, { authorization_details: [{ ...action, to: ['eve@example.com'] }] })
      return { token: changed, proofs: [prove({}, { accessToken: changed })] }
    },
  },
  {
    what: 'the same claims signed by somebody else under our key id',
    express: /signature verification failed/,
    oauth4webapi: /signature verification failed/,
    call: ({ token, prove }) => {
      const forged = jwt(makeKey(), headerOf(token), claimsOf(token))
      return { token: forged, proofs: [prove({}, { accessToken: forged })] }
    },
  },
  {
    what: 'an action token for another resource',
    express: /'aud'/,
    oauth4webapi: /aud/,
    call: async ({ server, prove }) => {
      const elsewhere = await createWorld(server)
      const token = await actionToken(elsewhere)
      return { token, proofs: [prove({}, { accessToken: token, key: elsewhere.agent.key })] }
    },
  },
  {
    what: 'an agent token',
    express: /'aud'/,
    oauth4webapi: /aud/,
    call: async ({ server, world, prove }) => {
      const token = (await clientToken(server.issuer, world.agent)).body.access_token
      return { token, proofs: [prove({}, { accessToken: token })] }
    },
  },
  {
    what: 'a subject token',
    express: /'aud'/,
    oauth4webapi: /cnf/,
    call: ({ world, prove }) => {
      const token = world.wish.subjectToken
      return { token, proofs: [prove({}, { accessToken: token })] }
    },
  },
]
