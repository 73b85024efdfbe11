import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { ensureBuiltInActionTypes } from '../../../src/adapters/bootstrap/builtin-action-types.ts'
import { systemClock, systemIds } from '../../../src/adapters/clock.ts'
import { keyEncryption } from '../../../src/adapters/keys/key-encryption.ts'
import { ensureSigningKey, openSigningKeys, type SigningKeys } from '../../../src/adapters/keys/signing-keys.ts'
import { subjectTokens } from '../../../src/adapters/keys/subject-tokens.ts'
import { refuseOutboundUrl } from '../../../src/adapters/net/guarded-fetch.ts'
import { approvals } from '../../../src/adapters/prisma/approvals.ts'
import { openCatalogue } from '../../../src/adapters/prisma/catalogue.ts'
import { directory } from '../../../src/adapters/prisma/directory.ts'
import type { Database } from '../../../src/adapters/prisma/open-database.ts'
import { openRegistry } from '../../../src/adapters/prisma/registry/open-registry.ts'
import { isRefusal, refuse } from '../../../src/core/refusal.ts'
import { actionTypesRouter } from '../../../src/http/action-types.ts'
import { adminRouter } from '../../../src/http/admin/router.ts'
import { failureThrottle } from '../../../src/http/oauth/throttle.ts'
import { answerProblem } from '../../../src/http/problem.ts'
import { rateLimiter } from '../../../src/http/rate-limit.ts'
import { requestId } from '../../../src/http/request-id.ts'
import type { SubjectTokens } from '../../../src/ports.ts'
import { parsePublicJwk } from '../../../src/wire/jwk.ts'
import { type Answer, send } from '../../support/clients.ts'
import { openTestDatabase } from '../../support/database.ts'
import { type Described, described, openapiOf } from '../../support/described.ts'
import { makeKey } from '../../wire/signing.ts'

export const ISSUER = 'http://localhost:3000'

/** Tokens that stand for administrators: whoever holds them has these scopes. Anything else is no token. */
const HOLDERS: Readonly<Record<string, readonly string[]>> = {
  all: ['admin', 'admin:read', 'admin:approve'],
  plain: ['admin'],
  reader: ['admin:read'],
}

export interface Options {
  readonly method?: string
  readonly body?: unknown
  /** Instead of `body`, byte by byte. */
  readonly raw?: string | Uint8Array
  readonly token?: string
  readonly headers?: readonly (readonly [string, string])[]
}

export interface AdminServer {
  readonly database: Database
  readonly subjectTokens: SubjectTokens
  readonly keys: SigningKeys
  readonly faults: unknown[]
  readonly now: { advanceSeconds: number }
  /** How often the process was told that what it built from types and keys is old. */
  readonly generationsRaised: () => number
  /** Every answer is held against the description of the API. */
  readonly call: (path: string, options?: Options) => Promise<Answer>
  readonly described: Described
  readonly close: () => Promise<void>
}

/** The admin API on a database of its own; who calls is what the test says, everything else is real. */
export async function startAdminServer(
  settings: { readonly administratorsGrantForPersons?: boolean } = {},
): Promise<AdminServer> {
  const database = await openTestDatabase()
  const encryption = keyEncryption(randomBytes(32))
  const clock = { advanceSeconds: 0 }
  const now = () => new Date(systemClock().getTime() + clock.advanceSeconds * 1_000)
  await ensureSigningKey(database.query, encryption, now())
  await ensureBuiltInActionTypes(database.query)
  const catalogue = await openCatalogue(database.query)
  const keys = await openSigningKeys(database.query, encryption, now)
  const tokens = subjectTokens(ISSUER, keys)
  const faults: unknown[] = []
  let raised = 0
  const registry = openRegistry({
    database,
    encryption,
    onGenerationRaised: async () => {
      raised++
      await Promise.all([catalogue.refresh(), keys.refresh()])
    },
  })
  const router = adminRouter({
    issuer: ISSUER,
    ports: {
      now,
      ids: systemIds,
      registry,
      directory: directory(database.query, catalogue),
      approvals: approvals(database.query),
      maxDelegationSeconds: 90 * 86_400,
      signInLinkSeconds: 900,
      administratorsGrantForPersons: settings.administratorsGrantForPersons ?? true,
      refuseOutboundUrl: (url) => refuseOutboundUrl(url, { allowLoopback: false }),
    },
    authorize: async ({ token, method, url }, need) => {
      const scope = HOLDERS[token]
      if (scope === undefined) return refuse('token_invalid', 'unknown token')
      if (!url.startsWith(`${ISSUER}/admin/`) || method === '') return refuse('proof_wrong_target', 'wrong target')
      return need === 'write' && !scope.includes('admin')
        ? refuse('scope_not_allowed', 'this needs the scope admin')
        : { clientId: `the-${token}-one`, scope }
    },
    signSubjectToken: tokens.sign,
    cursorSecret: randomBytes(32),
    throttle: failureThrottle(rateLimiter({ perSecond: 1_000, burst: 1_000 }), now),
    nextNonce: undefined,
  })
  const app = new Koa()
  app.use(requestId)
  app.use(async (context, next) => {
    try {
      await next()
    } catch (error) {
      faults.push(error)
      answerProblem(context, 500, 'something broke')
    }
  })
  app.use(router.routes())
  app.use(actionTypesRouter(catalogue.active).routes())
  app.silent = true
  const server = createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const description = described(await openapiOf(ISSUER))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...{
      database,
      subjectTokens: tokens,
      keys,
      faults,
      now: clock,
      generationsRaised: () => raised,
      described: description,
    },
    call: async (path, { method, body, raw, token = 'all', headers = [] } = {}) => {
      const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
      const names = new Set(headers.map(([name]) => name.toLowerCase()))
      const answer = await send(`${origin}${path}`, {
        ...(method !== undefined && { method }),
        headers: [
          ...(names.has('authorization') || token === '' ? [] : [['Authorization', `DPoP ${token}`] as const]),
          ...(names.has('content-type') || text === undefined ? [] : [['Content-Type', 'application/json'] as const]),
          ...headers,
        ],
        ...(text !== undefined && { body: text }),
      })
      description.check(method ?? (text === undefined ? 'GET' : 'POST'), path, answer, body)
      return answer
    },
    close: async () => {
      await new Promise((resolve) => server.close(resolve))
      await database.close()
    },
  }
}

/** A public JWK that nobody has seen. */
export function newJwk(): Record<string, string> {
  const jwk = parsePublicJwk(makeKey('ES256').jwk)
  if (isRefusal(jwk)) throw new Error(jwk.detail)
  return { ...jwk }
}

/** A custom action type that compiles. */
export const definition = (type: string) => ({
  type,
  title: 'Send a note',
  schema: {
    type: 'object',
    properties: { text: { type: 'string', maxLength: 100 }, to: { type: 'string', maxLength: 50 } },
    required: ['text'],
    additionalProperties: false,
  },
  template: 'send the note {text}',
  risk: 'write',
})
