import type { IncomingMessage, ServerResponse } from 'node:http'
import Provider, { errors } from 'oidc-provider'
import type { ConsentModel } from '../../commands/people/consents.ts'
import type { Door } from '../door.ts'
import { redeemed, type Shown, shown } from './provider-adapter.ts'
import { configuration, type ProviderParts, SESSION_COOKIE } from './provider-configuration.ts'
import { withRequestContext } from './request-context.ts'
import { TOKEN_EXCHANGE } from './token-exchange.ts'

/** A request for a delegation that a browser brought. */
export interface OpenInteraction {
  readonly uid: string
  readonly params: Readonly<Record<string, unknown>>
  readonly expiresAt: Date
}

/** What a principal said; `grantId` is the delegation. */
export type ConsentResult = { readonly principalId: string; readonly grantId: string } | 'denied'

/** oidc-provider, as far as it is used here. */
export interface OpenedProvider {
  /**
   * Passes a request on, with the parameters that were read, if it has a body.
   *
   * `client`: it was authenticated at our door, and the library repeats nothing of it.
   */
  readonly pass: (context: Door, form?: ReadonlyMap<string, string>, client?: Shown) => Promise<void>
  /** The interaction that the cookie of this path names; undefined: none, or it is over. */
  readonly interaction: (context: Door) => Promise<OpenInteraction | undefined>
  /** @returns where the browser goes next. */
  readonly answerInteraction: (context: Door, result: ConsentResult) => Promise<string>
  /** Answers a device code, or a request of the backchannel, whose agent is then pinged if it wants to be. */
  readonly answerRequest: (
    model: Exclude<ConsentModel, 'Interaction'>,
    id: string,
    result: ConsentResult,
  ) => Promise<void>
}

const DENIED = 'the principal said no'

/**
 * Drives oidc-provider for what it is best at: the grants of OAuth that are not ours, and the flows in which people delegate.
 *
 * Built anew whenever a key changes: nothing of a flow lives in it, so a flow goes on with the next one.
 */
export function openProvider(parts: ProviderParts): OpenedProvider {
  const provider = new Provider(parts.issuer, configuration(parts))
  // Registered so that client metadata may name it. Answered by our own door: whoever gets here took a wrong turn.
  provider.registerGrantType(TOKEN_EXCHANGE, () => {
    throw new errors.UnsupportedGrantType()
  })
  // The scheme and the host come from the issuer, through the headers that `behindIssuer` overwrites.
  provider.proxy = true
  provider.use(async (context, next) => {
    // Cookies are always `Secure`, on loopback too, where browsers take them; the library would refuse to set one over http.
    context.cookies.secure = true
    await next()
    // The library opens its token endpoint to scripts of every origin; ours is closed to them.
    for (const name of Object.keys(context.response.headers)) {
      if (name.startsWith('access-control-')) context.remove(name)
    }
    withoutSession(context.res)
    const delegation = redeemed.get(context.req)
    if (delegation !== undefined && isTokenAnswer(context.body)) {
      const { scope: _, ...answer } = context.body
      // What was granted, which may be less than what was asked for (RFC 9396 §7).
      context.body = { ...answer, authorization_details: delegation.authorizationDetails }
    }
  })
  provider.on('server_error', (_context, error) => parts.onFault(error))
  const handle = provider.callback() as (request: IncomingMessage, response: ServerResponse) => Promise<void>
  return {
    pass: async (context, form, client) => {
      behindIssuer(context, parts.issuer)
      if (form !== undefined) Object.assign(context.req, { body: Object.fromEntries(form) })
      if (client !== undefined) shown.set(context.req, client)
      context.respond = false
      await withRequestContext(() => handle(context.req, context.res))
    },
    interaction: async ({ req, res }) => {
      try {
        const { uid, params, exp } = await provider.interactionDetails(req, res)
        return { uid, params, expiresAt: new Date(exp * 1_000) }
      } catch (error) {
        if (error instanceof errors.SessionNotFound) return undefined
        throw error
      }
    },
    answerInteraction: ({ req, res }, result) =>
      provider.interactionResult(
        req,
        res,
        result === 'denied'
          ? { error: 'access_denied', error_description: DENIED }
          : { login: { accountId: result.principalId, remember: false }, consent: { grantId: result.grantId } },
        { mergeWithLastSubmission: false },
      ),
    answerRequest: async (model, id, result) => {
      if (model === 'BackchannelAuthenticationRequest') {
        return provider.backchannelResult(id, result === 'denied' ? new errors.AccessDenied(DENIED) : result.grantId)
      }
      const code = await provider.DeviceCode.find(id, { ignoreExpiration: true })
      if (code === undefined) throw new Error('the device code that was just answered is missing')
      Object.assign(
        code,
        result === 'denied'
          ? { error: 'access_denied', errorDescription: DENIED }
          : { accountId: result.principalId, grantId: result.grantId, scope: '', resource: code.params?.resource },
      )
      await code.save()
    },
  }
}

/** oidc-provider builds URLs from `Host` and judges by `Origin`; what a caller says there must not matter. */
function behindIssuer({ req }: Door, issuer: string): void {
  const { host, protocol } = new URL(issuer)
  req.headers.host = host
  req.headers['x-forwarded-host'] = host
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1)
  delete req.headers['x-forwarded-for']
  // It refuses what names an origin; we refuse nothing for that, and let no origin read the answer.
  delete req.headers.origin
}

/** The library's own session holds nothing between two requests: a browser that remembered it would remember nothing. */
function withoutSession(response: ServerResponse): void {
  if (response.headersSent) return
  const cookies = [response.getHeader('set-cookie') ?? []].flat().map(String)
  const kept = cookies.filter((cookie) => !cookie.startsWith(`${SESSION_COOKIE}`))
  if (kept.length === cookies.length) return
  if (kept.length === 0) response.removeHeader('set-cookie')
  else response.setHeader('set-cookie', kept)
}

const isTokenAnswer = (body: unknown): body is { readonly scope?: string; readonly access_token: string } =>
  typeof body === 'object' && body !== null && 'access_token' in body
