import { CONCERNS_SECONDS, type RevokedKind } from '../../core/revocation/revocation-event.ts'
import type { ActionTokenClaims } from '../../wire/access-token-claims.ts'
import type { FeedMessage } from '../../wire/security-event.ts'

/** Stops that are in force at once; more than a day's worth of an incident. */
const MAX_STOPS = 200_000

/** A token as far as a stop can concern it. */
export interface Stoppable {
  readonly claims: ActionTokenClaims
  /** The key that signed it. */
  readonly kid: string
}

/** What is stopped, as far as it concerns tokens that may still be alive. */
export interface StoppedSet {
  /** Takes a message. `nowSeconds`: a clock that never goes back. @throws RangeError when it holds more than it may. */
  readonly apply: (message: FeedMessage, nowSeconds: number) => void
  /** Whether everything that was announced has been told. */
  readonly isWhole: () => boolean
  /** What stops the token; undefined: nothing. */
  readonly stops: (token: Stoppable) => RevokedKind | 'restored' | undefined
}

export function createStoppedSet(): StoppedSet {
  /** By kind and subject: when it was heard of, by the local clock. In the order in which it was heard. */
  let heard = new Map<string, number>()
  /** A snapshot on its way: what is known holds until all of it is there. */
  let arriving:
    | { readonly stops: Map<string, number>; missing: number; readonly restoredAt: Date | undefined }
    | undefined
  let isKnown = false
  let restoredAt: Date | undefined

  const forget = (nowSeconds: number) => {
    for (const [key, at] of heard) {
      if (nowSeconds - at <= CONCERNS_SECONDS) break
      heard.delete(key)
    }
  }
  const finish = () => {
    if (arriving === undefined || arriving.missing > 0) return
    heard = arriving.stops
    restoredAt = arriving.restoredAt
    isKnown = true
    arriving = undefined
  }
  const isStopped = (kind: RevokedKind, subject: string) => {
    const key = keyOf(kind, subject)
    return heard.has(key) || arriving?.stops.has(key) === true
  }

  return {
    apply(message, nowSeconds) {
      forget(nowSeconds)
      if (message.kind === 'alive') return
      if (message.kind === 'snapshot') {
        arriving = { stops: new Map(), missing: message.count, restoredAt: message.restoredAt }
        return finish()
      }
      const { kind, subject, isLifted } = message.event
      const stops = arriving?.stops ?? heard
      const key = keyOf(kind, subject)
      // Heard again, it is the newest: what is forgotten first stands first.
      stops.delete(key)
      if (!isLifted) stops.set(key, nowSeconds)
      if (stops.size > MAX_STOPS) throw new RangeError('more is stopped than this process can remember')
      if (arriving !== undefined) arriving.missing--
      finish()
    },
    isWhole: () => isKnown && arriving === undefined,
    stops({ claims, kid }) {
      if (restoredAt !== undefined && claims.iat * 1_000 <= restoredAt.getTime()) return 'restored'
      const [action] = claims.authorization_details
      const asked: (readonly [RevokedKind, string])[] = [
        ['everything', '*'],
        ['signing_key', kid],
        ['token', claims.jti],
        ['key', claims.cnf.jkt],
        ['delegation', claims.delegation_id],
        ['action_type', action.type],
        ...[claims.sub, claims.client_id, ...actorsOf(claims)].map((id) => ['account', id] as const),
      ]
      return asked.find(([kind, subject]) => isStopped(kind, subject))?.[0]
    },
  }
}

const keyOf = (kind: RevokedKind, subject: string) => `${kind} ${subject}`

/** Everyone of the actor chain (RFC 8693 §4.1). */
function actorsOf({ act }: ActionTokenClaims): string[] {
  const actors: string[] = []
  for (let actor: typeof act | undefined = act; actor !== undefined; actor = actor.act) actors.push(actor.sub)
  return actors
}
