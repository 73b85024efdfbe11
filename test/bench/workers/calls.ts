import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../../src/core/json.ts'
import { jwt, makeKey, proof } from '../../wire/signing.ts'

/** One call of a protected resource, by a token and a proof of its own. */
export interface Call {
  readonly token: string
  readonly proof: string
}

/** An issuer as a resource server sees it, and an agent that calls with its tokens. */
export interface Calls {
  readonly issuer: string
  readonly resource: string
  readonly origin: string
  readonly path: string
  readonly action: JsonObject
  /** The issuer's public key; `agentKey` is that of the proofs. */
  readonly issuerKey: ReturnType<typeof makeKey>
  readonly agentKey: ReturnType<typeof makeKey>
  /** `depth` actors, the agent outermost. */
  readonly make: (count: number, depth?: number) => readonly Call[]
}

const TOKEN_SECONDS = 300

/** Serves an issuer's metadata and keys on a loopback port, and makes what it and its agent would sign. */
export async function openCalls(): Promise<Calls> {
  const [issuerKey, agentKey] = [makeKey(), makeKey()]
  let issuer = ''
  const server = createServer((request, response) => {
    const isKeys = request.url === '/jwks'
    const keys = [{ ...issuerKey.jwk, kid: issuerKey.jkt, alg: 'ES256', use: 'sig' }]
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(isKeys ? { keys } : { issuer, jwks_uri: `${issuer}/jwks` }))
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  server.unref()
  issuer = `http://localhost:${(server.address() as AddressInfo).port}`
  const resource = 'https://mail.example'
  const [origin, path] = ['http://localhost:4000', '/messages']
  const action = {
    type: 'email_send',
    to: ['bob@example.com'],
    subject: 'Minutes',
    body: 'Hello',
    locations: [resource],
  }
  const token = (depth: number) => {
    const iat = Math.floor(Date.now() / 1_000)
    const claims = {
      ...{ iss: issuer, aud: resource, sub: 'alice', client_id: 'agent-1', act: actors(issuer, depth) },
      ...{ cnf: { jkt: agentKey.jkt }, authorization_details: [action] },
      ...{ delegation_id: `dlg_${randomUUID()}`, txn: randomUUID(), jti: randomUUID(), iat, exp: iat + TOKEN_SECONDS },
    }
    return jwt(issuerKey, { typ: 'at+jwt', kid: issuerKey.jkt }, claims)
  }
  return {
    ...{ issuer, resource, origin, path, action, issuerKey, agentKey },
    make: (count, depth = 1) =>
      Array.from({ length: count }, () => {
        const accessToken = token(depth)
        const request = { method: 'POST', htu: origin + path, now: new Date(), accessToken }
        return { token: accessToken, proof: proof(agentKey, request) }
      }),
  }
}

interface Actor {
  readonly iss: string
  readonly sub: string
  readonly act?: Actor
}

function actors(iss: string, depth: number, level = 1): Actor {
  const sub = `agent-${level}`
  return level === depth ? { iss, sub } : { iss, sub, act: actors(iss, depth, level + 1) }
}
