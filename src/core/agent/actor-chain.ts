/** How many actors stand in one token at most. */
export const MAX_ACTORS = 8

/** The `act` claim (RFC 8693 §4.1): the current actor outermost, the one before it nested inside. */
export interface ActorClaim {
  readonly iss: string
  readonly sub: string
  /** What kind of actor this is (`sub_profile` of the OAuth actor profile draft); absent for a resource server. */
  readonly sub_profile?: 'ai_agent'
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

/** The chain one longer: a resource server acts on the strength of the token that it was called with. */
export const behalfOf = (issuer: string, resourceServer: string, earlier: ActorClaim): ActorClaim => ({
  iss: issuer,
  sub: resourceServer,
  act: earlier,
})

/** How many actors a chain has. */
export const chainLength = ({ act }: ActorClaim): number => 1 + (act === undefined ? 0 : chainLength(act))
