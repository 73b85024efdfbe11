import type { Refusal } from '../core/refusal.ts'

/** Unit: characters. */
const MAX_DESCRIPTION = 300

/** What a caller is told of a refusal: why, and at which member. */
export function describeRefusal({ detail, member }: Pick<Refusal, 'detail' | 'member'>): string {
  return errorDescription(member === undefined || member === '' ? detail : `${detail}: ${memberName(member)}`)
}

/**
 * Makes any text safe as `error_description`: printable ASCII without `"` and `\` (RFC 6749 §5.2), at most 300 characters.
 *
 * A quotation mark becomes an apostrophe; every other character, each half of a surrogate pair among them, becomes `?`, so that the length cannot grow.
 */
export function errorDescription(text: string): string {
  return text
    .slice(0, MAX_DESCRIPTION)
    .replaceAll('"', "'")
    .replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}

/** Shows the path of a member in a description: characters outside `A-Za-z0-9_.-[]` become `?`, at most 100. */
export function memberName(path: string): string {
  return path.slice(0, 100).replace(/[^A-Za-z0-9_.\-[\]]/g, '?')
}
