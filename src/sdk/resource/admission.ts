import { sha256Base64url } from '../../core/hash.ts'
import { canonicalJson } from '../../core/json.ts'
import type { ActionTokenClaims } from '../../wire/access-token-claims.ts'
import type { ActualAction } from './actual-action.ts'
import type { ResourceRefusal } from './challenge.ts'
import type { EarlierUse } from './consume.ts'
import type { ReplayMark } from './replay-store.ts'
import type { Authorized, ResourceServer, UnenforcedCredentials } from './resource-server.ts'
import type { Call, ResultStore } from './result-store.ts'

/** A call that is the authorized action, by who may; whether it may run now is still to be decided. */
export interface Admitted {
  readonly authorized: Authorized
  readonly call: Call
  /** The moment that was decided for. */
  readonly time: Date
  /** Undefined: this is the first use, by the issuer or the replay store; or the result store is to say. */
  readonly earlier: EarlierUse | undefined
}

/** The half of a resource server that only what runs calls may have: an `Admitted` is no permission. */
export interface Admission {
  readonly admit: (credentials: UnenforcedCredentials, actual: ActualAction) => Promise<Admitted | ResourceRefusal>
  readonly results: ResultStore | undefined
}

const admissions = new WeakMap<ResourceServer, Admission>()

export function registerAdmission(server: ResourceServer, admission: Admission): void {
  admissions.set(server, admission)
}

/** @throws TypeError for what `createResourceServer` did not make. */
export function admissionOf(server: ResourceServer): Admission {
  const admission = admissions.get(server)
  if (admission === undefined) throw new TypeError('this is no server of createResourceServer')
  return admission
}

/** The result store of a server, if it has one. */
export const resultsOf = (server: ResourceServer): ResultStore | undefined => admissions.get(server)?.results

/** The call that a token is for: by its `jti`, and by everything that must not differ in a retry. */
export function callOf(claims: ActionTokenClaims, token: ReplayMark): Call {
  const { sub, client_id: agent, cnf, authorization_details: details } = claims
  return { ...token, fingerprint: sha256Base64url(canonicalJson([sub, agent, cnf.jkt, details[0]])) }
}
