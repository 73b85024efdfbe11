import { sha256Base64url } from '../../core/hash.ts'
import type { JsonObject } from '../../core/json.ts'
import { isRefusal, refuse } from '../../core/refusal.ts'
import {
  checkTokenClaims,
  checkTokenSignature,
  readAccessToken,
  type VerificationKey,
} from '../../wire/access-token.ts'
import type { ActionTokenClaims } from '../../wire/access-token-claims.ts'
import { checkProofClaims, checkProofSignature, type Proof, readProof } from '../../wire/dpop.ts'
import { createKeyObjectCache } from '../../wire/key-object-cache.ts'
import { type ActionTypes, type ActualAction, createActionCheck } from './actual-action.ts'
import { type Admitted, callOf, registerAdmission } from './admission.ts'
import { type Challenge, type ResourceRefusal, toChallenge } from './challenge.ts'
import { type ConsumeOptions, createConsumption } from './consume.ts'
import { readCredentials } from './credentials.ts'
import { createIssuerKeys, type IssuerKeysOptions } from './issuer-keys.ts'
import {
  metadataPath,
  type ProtectedResourceMetadata,
  protectedResourceMetadata,
} from './protected-resource-metadata.ts'
import type { Receipt, ReceiptOutcome } from './receipt.ts'
import type { ReplayMark, ReplayStore } from './replay-store.ts'
import { externalUrl, type ResourceRequest } from './resource-request.ts'
import type { ResultStore } from './result-store.ts'
import { createRevocationFollower, type RevocationsOptions } from './revocation-follower.ts'
import { isOrigin } from './transport.ts'
import { proofReplayed, tokenReplayed, type UseOutcome, useUp } from './use-up.ts'

/** What a resource server must say of itself. Nothing that guards a check has a default. */
export interface ResourceServerOptions {
  /** The authorization server: an origin, https, or http on a loopback host. */
  readonly issuer: string
  /** This resource's identifier, as it is registered: the `aud` of its tokens. */
  readonly resource: string
  /** Where clients reach this server: an origin. `htu` is built from it, never from `Host` or `X-Forwarded-*`. */
  readonly origin: string
  /** What remembers used tokens and proofs; shared, when several processes serve the resource. */
  readonly replay: ReplayStore
  /**
   * Keeps answers, so that a call whose answer was lost can be answered again, and is not executed again. Calls then run through
   * `protect` or `executeOnce`. One that is durable also decides of tokens: every process of the resource must have the same.
   */
  readonly results?: ResultStore
  /** Has the issuer decide at every call whether the token is good at this moment, and whether this is its one use. */
  readonly consume?: ConsumeOptions
  /** Follows what is stopped, so that a token that was verified offline and stopped since is refused. `close` ends it. */
  readonly revocations?: RevocationsOptions
  /** Digestible members of custom action types. */
  readonly actionTypes?: ActionTypes
  /** Action types to name in the metadata (RFC 9396 §10). */
  readonly advertisedTypes?: readonly string[]
  readonly keys?: IssuerKeysOptions
  /** The clock; for tests. */
  readonly now?: () => Date
}

/** Credentials that are genuine and allow nothing yet: nobody has asked what they are for. Give them to `enforce`. */
export interface UnenforcedCredentials {
  readonly unenforced: true
  /** The type of the one action they are for, to choose how the actual action is built. */
  readonly actionType: string
}

/** A yes to one execution of one action, now. The token and its proof are used up. */
export interface Authorized {
  /** The principal, on whose behalf. */
  readonly principal: string
  /** The agent that acts. */
  readonly agent: string
  /** The action, as authorized. */
  readonly action: JsonObject & { readonly type: string }
  /** All claims of the token, for the record. */
  readonly claims: ActionTokenClaims
}

/** Protects a resource, free of frameworks. A "no" is returned; what breaks (keys, replay store) is thrown. */
export interface ResourceServer {
  /** Everything in the one right order: token, proof, action, replay marks. The actual action is built in between. */
  readonly authorize: (
    request: ResourceRequest,
    actual: ActualAction | (() => ActualAction | Promise<ActualAction>),
  ) => Promise<Authorized | ResourceRefusal>
  /** The first half, for who must know the type before building the action. It is no permission. */
  readonly verify: (request: ResourceRequest) => Promise<UnenforcedCredentials | ResourceRefusal>
  /** The second half: the action is the authorized one, and token and proof are used for the first time. */
  readonly enforce: (credentials: UnenforcedCredentials, actual: ActualAction) => Promise<Authorized | ResourceRefusal>
  /** Tells the issuer what came of a call. @throws TypeError without the option `consume`. */
  readonly receipt: (authorized: Pick<Authorized, 'claims'>, receipt: Receipt) => Promise<ReceiptOutcome>
  /** Whether what is stopped is known at this moment; always, where nothing is followed. For health checks. */
  readonly isFollowing: () => boolean
  /** Ends what works in the background: following what is stopped. After it nothing more is let through. */
  readonly close: () => void
  /** How to answer a refusal. */
  readonly challenge: (refusal: ResourceRefusal) => Challenge
  readonly protectedResourceMetadata: ProtectedResourceMetadata
  /** Path to serve the metadata at; undefined where the identifier is no URL of the origin. */
  readonly metadataPath: string | undefined
  readonly origin: string
}

/** How far the issuer's clock may be off. */
const SKEW_SECONDS = 5
/** For how much longer a token is remembered than accepted: processes that share a store differ in their clocks. */
const REMEMBER_SECONDS = 30

/** Makes the resource server's half of Writ (wire contract, "Verification"). */
export function createResourceServer(options: ResourceServerOptions): ResourceServer {
  const { issuer, resource, origin, replay, actionTypes = {}, advertisedTypes, now = () => new Date() } = options
  checkIdentity(issuer, resource, origin)
  if (typeof replay?.mark !== 'function') throw new TypeError('a replay store is required')
  const issuerKeys = createIssuerKeys(issuer, now, options.keys)
  const proofKeys = createKeyObjectCache()
  const actionMismatch = createActionCheck(resource, actionTypes)
  const path = metadataPath(resource, origin)
  /** What credentials stand for. Kept here and not in them, so that no object can be made to look verified. */
  const genuine = new WeakMap<UnenforcedCredentials, Verified>()
  const { results } = options
  const follower =
    options.revocations === undefined
      ? undefined
      : createRevocationFollower({ issuer, resource }, options.revocations, issuerKeys, now)
  const consumption = options.consume === undefined ? undefined : createConsumption(issuer, options.consume, now)
  const tokenPrefix = `["token",${JSON.stringify(issuer)},`
  const markKey = replay.hashesKeys === true ? (text: string) => text : sha256Base64url
  // Where the issuer decides of the token, or claims that nothing forgets, a retry must come as far as to them.
  const isTokenDecidedElsewhere = consumption !== undefined || results?.isDurable === true

  // Whatever can be refused for little is refused before a signature is checked, and both are checked at the end.
  function check(request: ResourceRequest): MaybeLater<Verified | ResourceRefusal> {
    // Step 1: does it say it is a token of our issuer, for us, for one action, and alive?
    const presented = readCredentials(request)
    if (isRefusal(presented)) return presented
    const { accessToken } = presented
    const token = readAccessToken(accessToken)
    if (isRefusal(token)) return token
    const time = now()
    const claims = checkTokenClaims(token, {
      use: 'action',
      issuer,
      audience: resource,
      now: time,
      skewSeconds: SKEW_SECONDS,
    })
    if (isRefusal(claims)) return claims

    // Step 2: does it come with a proof that says that its agent means this very request?
    const htu = externalUrl(origin, request)
    if (htu === undefined) return refuse('proof_wrong_target', 'the target of the request is not a path')
    const { jkt: boundTo } = claims.cnf
    const read = readProof(presented.proofs)
    if (isRefusal(read)) return read
    const proof = checkProofClaims(read, {
      values: presented.proofs,
      method: request.method ?? '',
      htu,
      now: time,
      accessToken,
      isExpectedKey: (jkt) => jkt === boundTo,
      isExpectedNonce: undefined,
    })
    if (isRefusal(proof)) return proof

    // Was it here before? Where that is known at once, a flood of repeated requests is not worth a signature.
    const marks = replayMarks(markKey, tokenPrefix, claims, proof)
    if (!isTokenDecidedElsewhere && results === undefined && replay.has?.(marks.token.key, time) === true) {
      return tokenReplayed()
    }
    if (replay.has?.(marks.proof.key, time) === true) return proofReplayed()

    // Step 3: is all of it true?
    const verified = { claims, proof, marks, accessToken, kid: token.kid }
    const checkSignatures = (key: VerificationKey | undefined) =>
      checkTokenSignature(token, key) ?? checkProofSignature(read, proofKeys) ?? verified
    const key = issuerKeys.find(token.kid)
    return key instanceof Promise ? key.then(checkSignatures) : checkSignatures(key)
  }

  async function verify(request: ResourceRequest): Promise<UnenforcedCredentials | ResourceRefusal> {
    const verified = await check(request)
    if (isRefusal(verified)) return verified
    const credentials: UnenforcedCredentials = Object.freeze({
      unenforced: true,
      actionType: verified.claims.authorization_details[0].type,
    })
    genuine.set(credentials, verified)
    return credentials
  }

  function verifiedOf(credentials: UnenforcedCredentials): Verified {
    const verified = genuine.get(credentials)
    if (verified === undefined) throw new TypeError('these credentials were not verified by this resource server')
    return verified
  }

  // At once wherever nobody has to be waited for: a promise at every step costs more than most of what is checked.
  function admit(verified: Verified, actual: ActualAction): MaybeLater<FirstUse | ResourceRefusal> {
    const { claims, accessToken, kid } = verified

    // Step 4: is the call about to be executed the authorized action?
    if (isRefusal(actual)) return actual
    const [action] = claims.authorization_details
    const mismatch = actionMismatch(isForms(actual) ? actual : [actual], action)
    if (mismatch !== undefined) return mismatch

    // Was anything that it stands on stopped since it was issued?
    if (follower === undefined) return takeUse(verified)
    return follower.stops({ claims, kid, accessToken }).then((stop) => {
      if (stop === undefined) return takeUse(verified)
      if (stop === 'unknown') return refuse('revocations_unknown', 'it is not known at the moment what was stopped')
      return refuse('token_inactive', 'the access token was stopped')
    })
  }

  function takeUse(verified: Verified): MaybeLater<FirstUse | ResourceRefusal> {
    const { claims, proof, marks, accessToken } = verified
    // Step 5: is it the first time? Only now, so that neither a thief without the key nor a wrong call burns anything.
    // Building the action took its time: what has expired meanwhile may no longer be remembered as used.
    const time = now()
    const seconds = time.getTime() / 1000
    if (!(seconds < claims.exp + SKEW_SECONDS)) return refuse('token_expired', 'the access token has expired')
    if (!(seconds < proof.rememberUntil)) return refuse('proof_stale', 'the DPoP proof is too old')
    const token = isTokenDecidedElsewhere ? undefined : marks.token
    const using = useUp(replay, { token, proof: marks.proof, mayBeRetry: results !== undefined }, time)
    const used = (use: UseOutcome): MaybeLater<FirstUse | ResourceRefusal> => {
      if (isRefusal(use)) return use
      const [action] = claims.authorization_details
      const authorized = { principal: claims.sub, agent: claims.client_id, action, claims }
      if (consumption === undefined) return { authorized, time, earlier: use === 'again' ? NO_RECEIPT : undefined }
      return consumption.use(claims, accessToken).then((consumed) => {
        if (isRefusal(consumed)) return consumed
        return { authorized, time, earlier: use === 'again' ? NO_RECEIPT : consumed }
      })
    }
    return using instanceof Promise ? using.then(used) : used(using)
  }

  function permit(verified: Verified, actual: ActualAction): MaybeLater<Authorized | ResourceRefusal> {
    if (results !== undefined) throw new TypeError('this server keeps answers: run the call by protect or executeOnce')
    const admitted = admit(verified, actual)
    return admitted instanceof Promise ? admitted.then(permitted) : permitted(admitted)
  }

  const server: ResourceServer = {
    verify,
    enforce: async (credentials, actual) => permit(verifiedOf(credentials), actual),
    async authorize(request, actual) {
      const checked = check(request)
      const verified = checked instanceof Promise ? await checked : checked
      if (isRefusal(verified)) return verified
      return permit(verified, typeof actual === 'function' ? await actual() : actual)
    },
    async receipt({ claims }, receipt) {
      if (consumption === undefined) throw new TypeError('receipts need the option consume')
      return consumption.receipt(claims.jti, receipt)
    },
    isFollowing: () => follower?.isFresh() ?? true,
    close: () => follower?.close(),
    challenge: (refusal) => toChallenge(refusal, path === undefined ? undefined : origin + path),
    protectedResourceMetadata: protectedResourceMetadata(resource, issuer, advertisedTypes),
    metadataPath: path,
    origin,
  }
  registerAdmission(server, {
    results,
    admit: async (credentials, actual) => {
      const verified = verifiedOf(credentials)
      const admitted = await admit(verified, actual)
      if (isRefusal(admitted)) return admitted
      const { claims, marks } = verified
      // The store of answers may be one that others read: what it is given is hashed, whatever that of marks takes.
      const key = replay.hashesKeys === true ? sha256Base64url(marks.token.key) : marks.token.key
      return { ...admitted, call: callOf(claims, { key, until: marks.token.until }) }
    },
  })
  return server
}

/** What credentials were verified to stand for. */
interface Verified {
  readonly claims: ActionTokenClaims
  readonly proof: Proof
  readonly marks: ReplayMarks
  readonly accessToken: string
  /** The key that signed it. */
  readonly kid: string
}

type FirstUse = Omit<Admitted, 'call'>

type MaybeLater<T> = T | Promise<T>

interface ReplayMarks {
  readonly token: ReplayMark
  readonly proof: ReplayMark
}

/**
 * Token by `jti`, proof by `jkt` and `jti`; hashed, so that every key is as long as the next.
 *
 * What is hashed is the JSON of `["token", iss, jti]` and `["proof", jkt, jti]`, which other processes of the resource mark, too.
 */
function replayMarks(
  markKey: (text: string) => string,
  tokenPrefix: string,
  claims: ActionTokenClaims,
  proof: Proof,
): ReplayMarks {
  return {
    token: {
      key: markKey(`${tokenPrefix}${JSON.stringify(claims.jti)}]`),
      until: claims.exp + SKEW_SECONDS + REMEMBER_SECONDS,
    },
    proof: {
      key: markKey(`["proof","${proof.jkt}",${JSON.stringify(proof.jti)}]`),
      until: proof.rememberUntil,
    },
  }
}

/** Only a first use is a permission. */
function permitted(admitted: FirstUse | ResourceRefusal): Authorized | ResourceRefusal {
  if (isRefusal(admitted)) return admitted
  if (admitted.earlier === undefined) return admitted.authorized
  return refuse('call_unfinished', 'the access token was used before, and the call may have run')
}

const NO_RECEIPT = { hasReceipt: false } as const

const isForms = (actual: JsonObject | readonly JsonObject[]): actual is readonly JsonObject[] => Array.isArray(actual)

/** @throws when the configuration could not protect anything: before the first request, not at it. */
function checkIdentity(issuer: string, resource: string, origin: string): void {
  if (!isOrigin(issuer)) throw new TypeError('issuer must be an origin: https, or http on a loopback host')
  if (!isOrigin(origin)) throw new TypeError('origin must be an origin: https, or http on a loopback host')
  // (RFC 8707 §2); the issuer is no resource, or its own tokens could be taken for action tokens.
  if (!URL.canParse(resource) || /[?#]/.test(resource)) {
    throw new TypeError('resource must be an absolute URI without query and fragment')
  }
  if (resource === issuer) throw new TypeError('resource must not be the issuer')
}
