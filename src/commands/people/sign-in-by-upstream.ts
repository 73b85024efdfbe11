import { principalNamed } from '../../core/people/claim-rule.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { OnceOnly, UpstreamIdentities, UpstreamProvider, UpstreamRequest } from '../../people-ports.ts'
import type { StrangerTally } from '../../ports.ts'
import { type BeginPorts, type Browser, beginLogin, type StartedLogin } from './begin-login.ts'

export type { UpstreamProvider, UpstreamRequest } from '../../people-ports.ts'

/** How long somebody may take at the provider. Unit: seconds. */
export const UPSTREAM_SECONDS = 600

export interface UpstreamPorts extends BeginPorts {
  readonly upstream: readonly UpstreamProvider[]
  readonly upstreamIdentities: UpstreamIdentities
  readonly onceOnly: OnceOnly
  readonly strangers: StrangerTally
}

/**
 * Signs in whoever an upstream provider says it is.
 *
 * The first time, the provider's rule tells which principal that is, and the pair of issuer and subject is bound to him; from then on the pair
 * alone decides, for addresses change hands (OpenID Connect Core 1.0 §5.7). Nobody is registered by signing in.
 */
export async function signInByUpstream(
  ports: UpstreamPorts,
  provider: UpstreamProvider,
  { callback, request }: { readonly callback: string; readonly request: UpstreamRequest },
  browser: Browser,
): Promise<StartedLogin | Refusal> {
  const refused = (refusal: Refusal) => {
    ports.strangers.count(refusal.code)
    return refusal
  }
  // Step 1: who is it, at the provider?
  const person = await provider.complete(callback, request)
  if (isRefusal(person)) return refused(person)

  // Step 2: an answer that was not used yet. Asked now: whoever has no code that is good causes no row.
  if (!(await ports.onceOnly(`upstream state\n${request.state}`, UPSTREAM_SECONDS))) {
    return refused(refuse('sign_in_refused', 'this answer of the provider was used before; start again'))
  }

  // Step 3: and who is that here?
  const named = principalNamed(provider.rule, person.claims)
  const started = await beginLogin(ports, browser, async (login, deed) => {
    const begun = await ports.upstreamIdentities.use(person, typeof named === 'string' ? undefined : named, login, deed)
    return isRefusal(begun) && typeof named === 'string'
      ? refuse('sign_in_refused', `${begun.detail}: ${named}`)
      : begun
  })
  return isRefusal(started) ? refused(started) : started
}
