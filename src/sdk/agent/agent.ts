import type { ActionFetchInit, ActionToken } from './action-token.ts'
import { agentTokens } from './agent-token.ts'
import { attestations, type Vouch } from './attestation.ts'
import { clientAssertion } from './client-assertion.ts'
import { createClock } from './clock.ts'
import { type ActorToken, actorToken, delegate, type GivenDelegation, type Giving } from './delegate.ts'
import { type Delegation, listDelegations } from './delegations.ts'
import type { Wish } from './exchange.ts'
import { type BatchWish, exchangeAll } from './exchange-all.ts'
import { checkIssuer, type IssuerMetadata, readMetadata } from './issuer.ts'
import { createNonces } from './nonces.ts'
import type { PendingApproval } from './pending-approval.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import type { Retries, Session } from './session.ts'
import { checkSigner, type Signer } from './signer.ts'
import { kept } from './single-flight.ts'
import { createTransport } from './transport.ts'
import { exchangeWaiting, waitForApproval } from './wait-for-approval.ts'

/** Who the agent is, and how it behaves. */
export interface AgentOptions {
  /** The authorization server: an origin, https, or http on a loopback host. */
  readonly issuer: string
  /** The agent's id, which is its `client_id`. */
  readonly id: string
  /** Signs assertions and proofs: a registered key, or with `vouch` any new one. */
  readonly key: Signer
  /**
   * Makes this an instance of the agent: `key` need not be registered, a registered one vouches for it. Default: `key` is
   * registered.
   */
  readonly vouch?: Vouch
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** The machine's clock. */
  readonly now?: () => Date
  /** Whether a clock that is wrong is corrected by the issuer's `Date` header, by at most a day. Default: false, only said. */
  readonly correctClock?: boolean
  /** Whether 429 and 503 of the issuer are tried again. Default: never. */
  readonly retries?: Retries
  /** For one request to the issuer. Default: 10. */
  readonly timeoutSeconds?: number
}

/** An agent at its issuer. Everything may be called in parallel; a "no" is returned, what breaks is thrown. */
export interface Agent {
  readonly issuer: string
  readonly id: string
  /** The issuer's metadata, read once. */
  readonly discover: () => Promise<IssuerMetadata>
  /** Everything that principals let this agent do. */
  readonly delegations: (options?: { readonly signal?: AbortSignal }) => Promise<readonly Delegation[] | WritRefusal>
  /** A token for one action. */
  readonly exchange: (wish: Wish) => Promise<ActionToken | WritRefusal>
  /**
   * Waits for an approval that an exchange was answered with (`refusal.approval`), as often as the server allows to ask, until
   * it is answered or has expired: the one token, or why there is none.
   */
  readonly waitForApproval: (
    approval: PendingApproval,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<ActionToken | WritRefusal>
  /** Gives a delegation on to another agent, within what it is itself. */
  readonly delegate: (giving: Giving) => Promise<GivenDelegation | WritRefusal>
  /** For the agent that gives a delegation on to this one. */
  readonly actorToken: () => Promise<ActorToken | WritRefusal>
  /**
   * A client assertion that vouches for the key of an instance, for the `vouch` of that instance; good once, within a minute,
   * and with a proof by that key alone.
   */
  readonly vouchFor: (jkt: string) => Promise<string>
  /** Tokens for several actions of one turn, by one request: for each its token or its refusal, or one refusal of the whole. */
  readonly exchangeAll: (wish: BatchWish) => Promise<readonly (ActionToken | WritRefusal)[] | WritRefusal>
  /** Both in one: exchanges for the action, and makes the call that it is. */
  readonly signedFetch: (wish: Wish, url: string | URL, init?: ActionFetchInit) => Promise<Response | WritRefusal>
}

/** @throws TypeError for options that cannot be right. Nothing is sent before it is needed. */
export function createAgent(options: AgentOptions): Agent {
  const { issuer, id, now = () => new Date(), correctClock = false } = options
  const { retries = { attempts: 0, maxWaitSeconds: 0 } } = options
  checkIssuer(issuer)
  if (!/^[a-z0-9._-]{1,255}$/.test(id)) throw new TypeError('id must be 1 to 255 of a-z 0-9 - _ .')
  checkRetries(retries)
  if (options.vouch !== undefined && typeof options.vouch !== 'function') {
    throw new TypeError('vouch must be a function')
  }
  const session: Session = {
    signer: checkSigner(options.key),
    transport: createTransport(options),
    clock: createClock(now, correctClock),
    nonces: createNonces(),
    retries,
  }
  const metadata = kept(
    () => readMetadata(issuer, session.transport),
    () => true,
  )
  const attested = { session, issuer, id, metadata: metadata.get, vouch: options.vouch }
  const door = { ...attested, attestations: attestations(attested) }
  const tokens = agentTokens(door)
  return Object.freeze({
    issuer,
    id,
    discover: metadata.get,
    delegations: ({ signal } = {}) => listDelegations(door, tokens, signal),
    exchange: (wish) => exchangeWaiting(door, wish),
    waitForApproval: (approval, { signal } = {}) => waitForApproval(door, approval, signal),
    exchangeAll: (wish) => exchangeAll(door, wish),
    delegate: (giving) => delegate(door, giving),
    actorToken: () => actorToken(tokens),
    vouchFor: async (jkt) => {
      if (options.vouch !== undefined) throw new TypeError('an instance vouches for no other')
      if (typeof jkt !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(jkt)) throw new TypeError('jkt must be a thumbprint')
      return clientAssertion(session.signer, { id, issuer, now: session.clock.now() }, jkt)
    },
    signedFetch: async (wish, url, init) => {
      const token = await exchangeWaiting(door, wish)
      return isWritRefusal(token) ? token : token.fetch(url, init)
    },
  } satisfies Agent)
}

/** Attempts are bounded, so that a busy server is not kept busy. */
function checkRetries({ attempts, maxWaitSeconds }: Retries): void {
  if (!Number.isInteger(attempts) || attempts < 0 || attempts > 10)
    throw new TypeError('retries.attempts must be 0 to 10')
  if (!(maxWaitSeconds >= 0 && maxWaitSeconds <= 300)) throw new TypeError('retries.maxWaitSeconds must be 0 to 300')
}
