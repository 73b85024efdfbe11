const KiB = 1024

/** How deep arrays and objects may nest, and how large a document may be. Unit of the second: bytes of UTF-8. */
export const MAX_JSON_DEPTH = 32
export const MAX_JSON_BYTES = 64 * KiB

/** Names that reach an object's prototype in careless code, ours or a resource server's. */
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Whether a JSON object may have a member of this name. */
export function isForbiddenName(name: string): boolean {
  return FORBIDDEN_NAMES.has(name)
}
