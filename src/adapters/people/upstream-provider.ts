import { importJWK } from 'jose'
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientAuth,
  ClientSecretBasic,
  type Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  PrivateKeyJwt,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { UpstreamProvider } from '../../people-ports.ts'
import { fetchCompatible } from '../net/fetch-compatible.ts'
import { GuardedFetchError, guardedFetch } from '../net/guarded-fetch.ts'

export interface UpstreamSettings {
  readonly name: string
  readonly title: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret?: string | undefined
  /** A private JWK as JSON text. */
  readonly privateKey?: string | undefined
  readonly scope: string
  readonly principal: {
    readonly claim: string
    readonly equals: 'email' | 'id'
    readonly requireVerified?: boolean | undefined
  }
  /** Development only: the provider is on this machine. */
  readonly isLoopback: boolean
  /** Told why a sign-in by this provider failed, for operators: a code or a sentence of the library, nothing that the provider sent. */
  readonly onFailure: (reason: string) => void
}

/** How long what a provider says of itself is used. Unit: milliseconds. */
const DISCOVERED_MILLISECONDS = 3_600_000
const TIMEOUT_SECONDS = 10
/** (OpenID Connect Core 1.0 §2): ASCII, and of it what can be stored and shown. */
const SUBJECT = /^[\x20-\x7e]{1,255}$/
const MAX_REASON = 300

/**
 * An OpenID provider, driven by openid-client: authorization code with PKCE, state and nonce, its answers and its ID token verified with its own
 * keys, and everything fetched within the guard (adapters/net/guarded-fetch.ts).
 */
export function upstreamProvider(settings: UpstreamSettings): UpstreamProvider {
  const { name, title, issuer, clientId, scope, isLoopback, principal } = settings
  const { port } = new URL(issuer)
  const guarded = fetchCompatible(
    guardedFetch({
      allowLoopback: isLoopback,
      ports: [443, ...(port === '' ? [] : [Number(port)])],
      timeoutSeconds: TIMEOUT_SECONDS,
    }),
  )
  const discover = async () => {
    const configuration = await discovery(new URL(issuer), clientId, undefined, await clientAuth(settings), {
      [customFetch]: (url, init) => guarded(url, init as RequestInit),
      timeout: TIMEOUT_SECONDS,
      execute: [enableNonRepudiationChecks, ...(isLoopback ? [allowInsecureRequests] : [])],
    })
    // To the byte, and without the library's leniency for one provider: what is bound is bound to this issuer (RFC 9207, mix-up).
    if (configuration.serverMetadata().issuer !== issuer) throw new Error('the discovery document is of another issuer')
    const page = new URL(configuration.serverMetadata().authorization_endpoint ?? '')
    if (page.protocol !== 'https:' && !(isLoopback && page.protocol === 'http:'))
      throw new Error('its page is no https')
    return configuration
  }
  let discovered: { readonly configuration: Promise<Configuration>; readonly until: number } | undefined
  const configurationNow = () => {
    const now = performance.now()
    if (discovered === undefined || discovered.until < now) {
      const configuration = discover()
      discovered = { configuration, until: now + DISCOVERED_MILLISECONDS }
      // What failed is tried again by the next who comes.
      configuration.catch(() => {
        discovered = undefined
      })
    }
    return discovered.configuration
  }

  const failed = (error: unknown) => {
    settings.onFailure(reasonOf(error))
    return whyNot(error)
  }
  return {
    ...{ name, title, issuer },
    rule: { ...principal, requireVerified: principal.requireVerified ?? principal.equals === 'email' },
    begin: async (redirectUri) => {
      try {
        const configuration = await configurationNow()
        const request = { state: randomState(), nonce: randomNonce(), codeVerifier: randomPKCECodeVerifier() }
        const url = buildAuthorizationUrl(configuration, {
          ...{ redirect_uri: redirectUri, scope, state: request.state, nonce: request.nonce },
          ...{ code_challenge: await calculatePKCECodeChallenge(request.codeVerifier), code_challenge_method: 'S256' },
        })
        return { url: url.href, request }
      } catch (error) {
        return failed(error)
      }
    },
    complete: async (callback, { state, nonce, codeVerifier }) => {
      try {
        const configuration = await configurationNow()
        const tokens = await authorizationCodeGrant(configuration, new URL(callback), {
          ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier, idTokenExpected: true },
        })
        const claims = tokens.claims()
        if (claims === undefined || claims.iss !== issuer || !SUBJECT.test(claims.sub)) return NOT_GOOD
        return { issuer, subject: claims.sub, claims: await completed(configuration, tokens.access_token, claims) }
      } catch (error) {
        return failed(error)
      }
    },
  }

  /** Some providers say an address at their userinfo endpoint alone; the library holds its `sub` to that of the ID token. */
  async function completed(
    configuration: Configuration,
    accessToken: string,
    claims: { readonly sub: string } & Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const isKnown = Object.hasOwn(claims, principal.claim)
    if (isKnown || configuration.serverMetadata().userinfo_endpoint === undefined) return claims
    return { ...(await fetchUserInfo(configuration, accessToken, claims.sub)), ...claims }
  }
}

async function clientAuth({ clientSecret, privateKey }: UpstreamSettings): Promise<ClientAuth> {
  if (clientSecret !== undefined) return ClientSecretBasic(clientSecret)
  const jwk = JSON.parse(privateKey ?? '{}') as { readonly alg?: string; readonly kid?: string }
  const key = await importJWK(jwk, jwk.alg ?? 'ES256')
  if (key instanceof Uint8Array) throw new Error('the private key is a secret of both sides')
  return PrivateKeyJwt(jwk.kid === undefined ? key : { key, kid: jwk.kid })
}

const NOT_GOOD = refuse('sign_in_refused', 'the answer of the provider is not one that is good here; start again')

/** A cause is left out: it may hold what the provider answered. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : ''
  return `${code}${error.message}`.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON)
}

/** Words of ours for what went wrong; of the other side nothing but a code that the specifications name. */
function whyNot(error: unknown): Refusal<'sign_in_refused'> {
  if (error instanceof AuthorizationResponseError) {
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'unknown'
    return refuse('sign_in_refused', `the provider did not sign you in (${code})`)
  }
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof GuardedFetchError)
      return refuse('sign_in_refused', `the provider was not reached: ${cause.message}`)
  }
  return NOT_GOOD
}
