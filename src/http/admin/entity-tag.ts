import { type Refusal, refuse } from '../../core/refusal.ts'

/** A strong entity tag (RFC 9110 §8.8.3): the version of what is shown. */
export const entityTag = (version: number) => `"${version}"`

const TAGS = /^(?:W\/)?"[\x21\x23-\x7e]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e]*")*$/

/**
 * Reads `If-Match` (RFC 9110 §13.1.1) and says which version satisfies it. Weak tags satisfy none: the comparison is strong.
 */
export function readIfMatch(values: readonly string[]): ((version: number) => boolean) | Refusal {
  if (values.length === 0) {
    return refuse('version_missing', '"If-Match" must say which version is meant: the "ETag" of what you read')
  }
  const text = values.join(', ').trim()
  if (text === '*') return () => true
  if (text.length > 1_024 || !TAGS.test(text))
    return refuse('request_malformed', '"If-Match" is not a list of entity tags')
  const tags = new Set(text.split(',').map((tag) => tag.trim()))
  return (version) => tags.has(entityTag(version))
}
