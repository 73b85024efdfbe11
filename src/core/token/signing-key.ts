/** A key of the server, without its private part. */
export interface SigningKeyFacts {
  readonly kid: string
  readonly createdAt: Date
  /** When it begins to sign. */
  readonly activatesAt: Date
  readonly compromisedAt?: Date
}

/** Life of a key: published, so that everyone knows it; active, it signs; retired, it verifies what it signed. */
export type SigningKeyStatus = 'published' | 'active' | 'retired' | 'compromised'

/** How long a new key is published before it signs, and an old one after it stopped. Unit: seconds. */
export const ROTATION_OVERLAP_SECONDS = 600

/**
 * Of the keys that are not compromised, the one that was activated last signs; before any was activated, the first that
 * will be: after a compromise the new key must sign at once, also where the clock is a moment behind.
 *
 * @returns undefined when there is none: then nothing can be issued.
 */
export function activeSigningKey<Key extends SigningKeyFacts>(keys: readonly Key[], now: Date): Key | undefined {
  const usable = keys.filter((key) => key.compromisedAt === undefined).toSorted((a, b) => (isLater(a, b) ? 1 : -1))
  return usable.filter((key) => key.activatesAt <= now).at(-1) ?? usable[0]
}

/** When a key stopped signing: the moment its successor was activated; undefined while it is the newest. */
export function signingKeyRetiredAt(key: SigningKeyFacts, keys: readonly SigningKeyFacts[]): Date | undefined {
  return keys
    .filter((other) => other.compromisedAt === undefined && isLater(other, key))
    .reduce<Date | undefined>(
      (first, { activatesAt }) => (!first || activatesAt < first ? activatesAt : first),
      undefined,
    )
}

export function signingKeyStatus(key: SigningKeyFacts, keys: readonly SigningKeyFacts[], now: Date): SigningKeyStatus {
  if (key.compromisedAt !== undefined) return 'compromised'
  if (key.activatesAt > now) return 'published'
  const retiredAt = signingKeyRetiredAt(key, keys)
  return retiredAt !== undefined && retiredAt <= now ? 'retired' : 'active'
}

/** A total order, so that two keys of the same instant do not both sign. */
const isLater = (a: SigningKeyFacts, b: SigningKeyFacts) =>
  a.activatesAt.getTime() === b.activatesAt.getTime() ? a.kid > b.kid : a.activatesAt > b.activatesAt
