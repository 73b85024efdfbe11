/** How what a provider says of somebody names a principal. */
export interface ClaimRule {
  /** Name of the claim. */
  readonly claim: string
  /** What of a principal it must equal. */
  readonly equals: 'email' | 'id'
  /** Whether the claim `<claim>_verified` must be true beside it. */
  readonly requireVerified: boolean
}

/** A principal as a rule found it named. */
export interface NamedPrincipal {
  readonly by: 'email' | 'id'
  readonly value: string
}

const ID = /^[a-z0-9._-]{1,255}$/
/** ASCII alone: other letters have lower cases that are ASCII, and would be somebody else's address. */
const EMAIL = /^[\x21-\x7e]{3,320}$/

/** Whom claims name by a rule; a text where they name nobody: why not. */
export function principalNamed(
  { claim, equals, requireVerified }: ClaimRule,
  claims: Readonly<Record<string, unknown>>,
): NamedPrincipal | string {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  if (typeof value !== 'string') return `the provider did not say "${claim}"`
  const verified = `${claim}_verified`
  // True, and not something that is like it: a provider that says "false" as a text says no.
  if (requireVerified && (!Object.hasOwn(claims, verified) || claims[verified] !== true)) {
    return `the provider has not verified "${claim}"`
  }
  if (equals === 'id') return ID.test(value) ? { by: 'id', value } : `"${claim}" is no id`
  return EMAIL.test(value) && value.includes('@')
    ? { by: 'email', value: value.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) }
    : `"${claim}" is no address`
}
