import type { JsonValue } from '../json.ts'
import { type DigestPlace, digestOf, isDigest } from './digest.ts'
import { elementPath, memberPath } from './member-path.ts'

/** Deeper than any value our scanner lets in: what lies deeper counts as different. */
const MAX_DEPTH = 64

export interface DifferenceOptions {
  /** Whether a plain value equals its digest on the other side, too; a digest always equals the plain value expected. */
  readonly isDigestExpectable: boolean
}

/**
 * Finds the first place where two values differ: members in the order of `expected`, then members it lacks. Strictly: no
 * coercion, own members only, nothing but JSON. At a digestible place a digest stands for the value it was made of.
 *
 * @returns the path of the place, empty for the values themselves; undefined when they are equal.
 */
export function difference(
  actual: unknown,
  expected: JsonValue,
  place: DigestPlace | undefined,
  options: DifferenceOptions,
  depth = 0,
): string | undefined {
  if (place?.kind !== undefined) {
    const same = sameContent(actual, expected, place.kind, options)
    if (same !== undefined) return same ? undefined : ''
  }
  if (typeof expected !== 'object' || expected === null) return actual === expected ? undefined : ''
  if (typeof actual !== 'object' || actual === null || depth > MAX_DEPTH) return ''
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return ''
    for (let i = 0; i < expected.length; i++) {
      const inner = difference(actual[i], expected[i], undefined, options, depth + 1)
      if (inner !== undefined) return elementPath(i, inner)
    }
    return undefined
  }
  if (!isPlainObject(actual)) return ''
  const names = Object.keys(expected)
  const actualNames = Object.keys(actual)
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string
    const member = (expected as Readonly<Record<string, JsonValue>>)[name] as JsonValue
    // One that stands at the same place is its own; to ask is dear, and most actions are written in one order.
    if (actualNames[i] !== name && !Object.hasOwn(actual, name)) return name
    const inner = place?.members.get(name)
    if (inner === undefined && (typeof member !== 'object' || member === null)) {
      if (actual[name] !== member) return name
      continue
    }
    const differs = difference(actual[name], member, inner, options, depth + 1)
    if (differs !== undefined) return memberPath(name, differs)
  }
  if (actualNames.length === names.length) return undefined
  return actualNames.find((name) => !Object.hasOwn(expected, name)) ?? ''
}

/** Compares by digest; undefined when neither side is one. */
function sameContent(
  actual: unknown,
  expected: JsonValue,
  kind: 'utf8' | 'jcs',
  { isDigestExpectable }: DifferenceOptions,
): boolean | undefined {
  // What the caller built may be anything at all; `isDigest` and `digestOf` look before they touch.
  const value = actual as JsonValue
  const isActualDigest = isDigest(value)
  if (isDigest(expected)) {
    if (isActualDigest) return value.s256 === expected.s256
    return isDigestExpectable && value !== undefined && digestOf(value, kind) === expected.s256
  }
  return isActualDigest ? digestOf(expected, kind) === value.s256 : undefined
}

function isPlainObject(value: object): value is Record<string, unknown> {
  if (Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
