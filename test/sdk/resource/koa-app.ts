import { createServer, request as httpRequest, type Server } from 'node:http'
import Koa from 'koa'
import {
  authorizedBy,
  createMemoryReplayStore,
  createResourceServer,
  httpRequestAction,
  type ProtectOptions,
  protect,
  type ResourceServer,
  type ResourceServerOptions,
  serveMetadata,
} from '../../../src/sdk/resource/index.ts'
import { makeKey, proof, type TestKey } from '../../wire/signing.ts'
import { actionToken, closeServer, listen, type TestIssuer } from './issuer.ts'

/** A clock that stands still until a test moves it. */
export interface TestClock {
  seconds: number
}

/** A protected resource over real HTTP, and an agent that knows how to call it. */
export interface TestResource {
  readonly url: string
  readonly server: ResourceServer
  readonly agent: TestKey
  readonly clock: TestClock
  /** How often the protected route ran. */
  readonly executed: { count: number }
  readonly close: () => Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: Record<string, unknown>
}

export const EXTERNAL = 'https://mail.example'

/** A small Koa app: /send is `email_send` by its JSON body, everything under /raw is `http_request`. */
export async function startResource(
  issuer: TestIssuer,
  {
    clock = { seconds: 1_800_000_000 },
    route = async (ctx) => {
      const { principal, agent, action } = authorizedBy(ctx)
      ctx.body = { principal, agent, type: action.type }
    },
    transaction,
    ...options
  }: Partial<ResourceServerOptions> & {
    readonly clock?: TestClock
    readonly route?: (ctx: Koa.Context) => Promise<void>
  } & Pick<ProtectOptions<Koa.Context>, 'transaction'> = {},
): Promise<TestResource> {
  const executed = { count: 0 }
  const server = createResourceServer({
    issuer: issuer.url,
    resource: EXTERNAL,
    origin: EXTERNAL,
    replay: createMemoryReplayStore(),
    now: () => new Date(clock.seconds * 1000),
    ...options,
  })
  const app = new Koa()
  app.silent = true
  app.use(serveMetadata(server))
  const bodies = new WeakMap<object, Buffer>()
  const read = async (ctx: Koa.Context) => {
    const chunks: Buffer[] = []
    for await (const chunk of ctx.req) chunks.push(chunk)
    bodies.set(ctx, Buffer.concat(chunks))
    return Buffer.concat(chunks)
  }
  const send = protect<Koa.Context>(server, {
    ...(transaction !== undefined && { transaction }),
    action: async (ctx) => ({ type: 'email_send', ...JSON.parse((await read(ctx)).toString()) }),
  })
  const raw = protect<Koa.Context>(server, {
    action: async (ctx) =>
      httpRequestAction(
        EXTERNAL,
        { ...ctx.req, url: ctx.originalUrl, rawHeaders: ctx.req.rawHeaders, method: ctx.method },
        await read(ctx),
      ),
  })
  const execute = async (ctx: Koa.Context) => {
    executed.count++
    await route(ctx)
  }
  app.use(async (ctx, next) => {
    if (ctx.path === '/send') await send(ctx, () => execute(ctx))
    else if (ctx.path.startsWith('/raw')) await raw(ctx, () => execute(ctx))
    else if (ctx.path === '/forgotten') await execute(ctx)
    else await next()
  })
  const http: Server = createServer(app.callback())
  const url = await listen(http)
  return { url, server, agent: makeKey('Ed25519'), clock, executed, close: () => closeServer(http) }
}

/** What a call sends, right but for what a test changes. `rawHeaders` go out exactly as they stand, repeated or not. */
export interface Call {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly headers?: readonly string[]
}

export function call(
  resource: TestResource,
  { method = 'POST', path = '/send', body = '', headers = [] }: Call,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(resource.url)
    const host = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')
      ? []
      : ['Host', `${hostname}:${port}`]
    const request = httpRequest(
      // A raw list, so that a header can be sent twice.
      {
        hostname,
        port,
        method,
        path,
        headers: [...host, 'Content-Length', String(Buffer.byteLength(body)), ...headers],
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const isJson = String(response.headers['content-type']).includes('json')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text },
          })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

export const EMAIL = { to: ['bob@example.com'], subject: 'Minutes', body: 'All of it.' }

/** Token and proof for a call of /send, or of another path and action. */
export function credentials(
  issuer: { readonly url: string; readonly key: TestKey },
  resource: TestResource,
  change: {
    action?: object
    path?: string
    method?: string
    claims?: Record<string, unknown>
    header?: Record<string, unknown>
    proofKey?: TestKey
    proofClaims?: Record<string, unknown>
    proofHeader?: Record<string, unknown>
  } = {},
): { readonly token: string; readonly dpop: string; readonly headers: string[] } {
  const now = new Date(resource.clock.seconds * 1000)
  const { action = { type: 'email_send', ...EMAIL }, path = '/send', method = 'POST' } = change
  const token = actionToken(
    issuer,
    { resource: EXTERNAL, agent: resource.agent, action, now },
    change.claims,
    change.header,
  )
  const htu = EXTERNAL + path
  const dpop = proof(
    change.proofKey ?? resource.agent,
    { method, htu, now, accessToken: token },
    change.proofClaims,
    change.proofHeader,
  )
  return { token, dpop, headers: ['Authorization', `DPoP ${token}`, 'DPoP', dpop] }
}
