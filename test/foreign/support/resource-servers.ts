import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import { clockTolerance, validateJwtAccessToken } from 'oauth4webapi'
import { authorizationServer, INSECURE } from './authorization-server.ts'

/**
 * A resource server that knows the issuer and its own identifier, and nothing else of ours.
 *
 * It answers `/messages` with the claims it accepted, or with 4xx and `reason`: the words of the library that refused.
 */
export interface ForeignResourceServer {
  readonly origin: string
  readonly close: () => Promise<void>
}

/** What a foreign resource server is told: whose tokens it takes, and who it is. */
export interface ResourceServerFacts {
  readonly issuer: string
  readonly audience: string
}

export type StartResourceServer = (facts: ResourceServerFacts) => Promise<ForeignResourceServer>

/**
 * express-oauth2-jwt-bearer on an Express application.
 *
 * What had to be set: `dpop.required`, or a token would do as Bearer where it is not bound; `strict`, or `typ` is not looked
 * at; `clockTolerance`, 5 seconds by default. It reads the URL of a request from `Host`, so callers must name the very origin
 * that their proofs name. Among the algorithms of proofs it knows `EdDSA` and not `Ed25519`.
 */
export const startExpressResourceServer: StartResourceServer = async ({ issuer, audience }) => {
  const app = express()
  app.use(
    auth({
      issuerBaseURL: issuer,
      audience,
      tokenSigningAlg: 'ES256',
      strict: true,
      clockTolerance: 0,
      dpop: { enabled: true, required: true },
    }),
  )
  app.all('/messages', (request, response) => {
    response.json(request.auth?.payload)
  })
  const refused: ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(error.status ?? 500).set(error.headers ?? {})
    response.json({ reason: error.message })
  }
  app.use(refused)
  return serve(() => app)
}

/**
 * oauth4webapi on Node's own HTTP server.
 *
 * What had to be set: `requireDPoP`, or an unbound token would do as Bearer; the clock tolerance, 30 seconds by default; plain
 * http, to fetch the keys of a loopback issuer. It takes a `Request`, whose URL we build from the server's origin.
 */
export const startOauth4webapiResourceServer: StartResourceServer = async ({ issuer, audience }) => {
  const metadata = await authorizationServer(issuer)
  return serve((origin) => async (incoming, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    try {
      const claims = await validateJwtAccessToken(metadata, toRequest(incoming, origin()), audience, {
        requireDPoP: true,
        [clockTolerance]: 0,
        ...INSECURE,
      })
      answer(200, claims)
    } catch (error) {
      answer(401, { reason: (error as Error).message })
    }
  })
}

const toRequest = (incoming: IncomingMessage, origin: string) =>
  new Request(`${origin}${incoming.url}`, {
    method: incoming.method ?? '',
    headers: Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
  })

async function serve(listener: (origin: () => string) => RequestListener): Promise<ForeignResourceServer> {
  let origin = ''
  const server = createServer(listener(() => origin))
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  origin = `http://localhost:${(server.address() as AddressInfo).port}`
  return {
    origin,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
