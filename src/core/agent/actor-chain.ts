/** The `act` claim (RFC 8693 §4.1): the current actor outermost, the one before it nested inside. */
export interface ActorClaim {
  readonly iss: string
  readonly sub: string
  /** What kind of actor this is (`sub_profile` of the OAuth actor profile draft). */
  readonly sub_profile: 'ai_agent'
  readonly act?: ActorClaim
}

/**
 * Builds the `act` claim from the ids of a chain of agents, current actor first.
 *
 * Only the outermost actor acts; the nested ones say through whom the authority came (RFC 8693 §4.1).
 *
 * @throws when the chain is empty: a token always has an actor.
 */
export function actorClaim(issuer: string, chain: readonly string[]): ActorClaim {
  const [current, ...earlier] = chain
  if (current === undefined) throw new TypeError('an actor chain has at least one actor')
  const claim = { iss: issuer, sub: current, sub_profile: 'ai_agent' } as const
  return earlier.length === 0 ? claim : { ...claim, act: actorClaim(issuer, earlier) }
}
