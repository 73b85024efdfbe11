import { sha256Base64url } from '../../src/core/hash.ts'
import { canonicalJson, type JsonObject, type JsonValue } from '../../src/core/json.ts'

/**
 * A stream of numbers from 0 to below 1, from a seed that fast-check chose (and prints when a law fails). Cheaper by far
 * than an arbitrary for each choice, and one choice can depend on another.
 */
export type Draw = () => number

export function drawFrom(seed: number): Draw {
  let state = seed >>> 0
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A small world, so that values and constraints meet often. */
const STRINGS = [
  '',
  'a',
  'ab',
  'abc',
  'b',
  '1',
  '1.0',
  '1.50',
  '2',
  '-1',
  '/',
  '/data',
  '/data/x',
  '/data2',
  '/data/../x',
]
  .concat([
    'https://a.example/',
    'https://a.example/v1',
    'https://a.example/v1/x',
    'https://a.example/v1/x?q',
    'https://b.example/',
  ])
  .concat(['bob@a.example', 'eve@b.example', 'bob@a.example.evil'])
const NUMBERS = [-1, 0, 1, 1.5, 2]
const DECIMALS = ['-1', '0.5', '1', '1.0', '1.50', '2']
const DOMAINS = ['a.example', 'b.example', 'c.example']
const PATHS = ['/', '/data', '/data/x']
const URLS = [
  'https://a.example/',
  'https://a.example/v1',
  'https://a.example/v1/',
  'https://a.example/v1/x',
  'https://b.example/',
]
const NAMES = ['a', 'b', 'c']

const below = (draw: Draw, n: number) => Math.floor(draw() * n)
const pickFrom = <T>(draw: Draw, items: readonly T[]): T => items[below(draw, items.length)] as T
export const pick = <T>(draw: Draw, ...items: readonly [T, ...T[]]): T => pickFrom(draw, items)
const chance = (draw: Draw, percent: number) => draw() * 100 < percent
const times = <T>(draw: Draw, max: number, make: () => T): T[] => Array.from({ length: below(draw, max + 1) }, make)

function some<T>(draw: Draw, items: readonly T[], min = 0): T[] {
  const kept = items.filter(() => chance(draw, 60))
  return kept.length < min ? [pickFrom(draw, items)] : kept
}

export const digestFor = (value: JsonValue): JsonObject => ({
  s256: sha256Base64url(typeof value === 'string' ? value : canonicalJson(value)),
})

function scalar(draw: Draw): JsonValue {
  return pickFrom<JsonValue>(draw, [...STRINGS, ...NUMBERS, null, true, false])
}

/** Any value of the small world. */
export function anyValue(draw: Draw, depth = 2): JsonValue {
  if (depth === 0 || chance(draw, 60)) return chance(draw, 15) ? digestFor(scalar(draw)) : scalar(draw)
  if (chance(draw, 50)) return times(draw, 3, () => anyValue(draw, depth - 1))
  return Object.fromEntries(some(draw, NAMES).map((name) => [name, anyValue(draw, depth - 1)]))
}

/** Any constraint, as it is written. */
export function anyConstraint(draw: Draw, depth = 3): JsonValue {
  if (depth === 0 || chance(draw, 50)) return leaf(draw)
  const inner = () => anyConstraint(draw, depth - 1)
  switch (pick(draw, 'optional', 'all', 'each', 'array', 'object', 'object')) {
    case 'optional':
      return { $optional: inner() }
    case 'all':
      return { $all: [inner(), ...times(draw, 2, inner)] }
    case 'each':
      return chance(draw, 50) ? { $each: inner() } : { $each: inner(), $max_items: pick(draw, 0, 1, 2, 3) }
    case 'array':
      return times(draw, 2, inner)
    default:
      return Object.fromEntries(some(draw, NAMES).map((name) => [name, inner()]))
  }
}

function leaf(draw: Draw): JsonValue {
  switch (
    pick(draw, 'literal', 'any', 'in', 'number', 'decimal', 'prefix', 'suffix', 'email', 'path', 'url', 'digest')
  ) {
    case 'literal':
      return scalar(draw)
    case 'any':
      return { $any: true }
    case 'in':
      return { $in: [anyValue(draw), ...times(draw, 2, () => scalar(draw))] }
    case 'number':
      return range(draw, NUMBERS)
    case 'decimal':
      return range(draw, DECIMALS)
    case 'prefix':
      return { $prefix: pick(draw, '', 'a', 'ab', '/data', 'https://a.example/v1/', '1') }
    case 'suffix':
      return { $suffix: pick(draw, '', 'b', 'c', 'x', '@a.example', '0') }
    case 'email':
      return { $email_domain: some(draw, DOMAINS, 1) }
    case 'path':
      return { $path_within: pickFrom(draw, PATHS) }
    case 'url':
      return chance(draw, 50)
        ? { $url_within: pickFrom(draw, URLS) }
        : { $url_within: pickFrom(draw, URLS), $query: true }
    default:
      return digestFor(scalar(draw))
  }
}

function range(draw: Draw, limits: readonly (number | string)[]): JsonValue {
  const [low = 0, high = 0] = [pickFrom(draw, limits), pickFrom(draw, limits)].toSorted((a, b) => Number(a) - Number(b))
  return pick<JsonValue>(draw, { $min: low }, { $max: high }, { $min: low, $max: high })
}

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A constraint made from another, mostly by narrowing it, sometimes by widening or replacing a part. */
export function childOf(draw: Draw, parent: JsonValue): JsonValue {
  if (chance(draw, 7)) return anyConstraint(draw, 1)
  if (chance(draw, 7)) return { $all: [childOf(draw, parent), leaf(draw)] }
  if (chance(draw, 5)) return { $all: [leaf(draw), parent] }
  if (chance(draw, 10)) return valueFor(draw, parent)
  if (chance(draw, 20)) return parent
  if (Array.isArray(parent)) return parent.map((item) => childOf(draw, item as JsonValue))
  if (!isObject(parent)) return parent
  const { $any, $optional, $in, $min, $max, $prefix, $suffix, $email_domain, $path_within, $url_within, $each, $all } =
    parent
  if ($any !== undefined) return anyConstraint(draw, 1)
  if ($optional !== undefined)
    return chance(draw, 50) ? { $optional: childOf(draw, $optional) } : childOf(draw, $optional)
  if (Array.isArray($in))
    return chance(draw, 60) ? { $in: some(draw, $in as JsonValue[], 1) } : pickFrom(draw, $in as JsonValue[])
  if ($min !== undefined || $max !== undefined) {
    const limits = typeof ($min ?? $max) === 'string' ? DECIMALS : NUMBERS
    const inside = limits.filter(
      (l) => ($min === undefined || Number(l) >= Number($min)) && ($max === undefined || Number(l) <= Number($max)),
    )
    return inside.length === 0
      ? parent
      : chance(draw, 70)
        ? range(draw, inside)
        : { ...parent, ...isObjectOr(range(draw, limits)) }
  }
  if (typeof $prefix === 'string') return { $prefix: $prefix + pick(draw, '', 'b', '/x') }
  if (typeof $suffix === 'string') return { $suffix: pick(draw, '', 'b', 'x') + $suffix }
  if (Array.isArray($email_domain)) return { $email_domain: some(draw, $email_domain as string[], 1) }
  if (typeof $path_within === 'string')
    return { $path_within: $path_within === '/' ? '/data' : $path_within + pick(draw, '', '/y', '2') }
  if (typeof $url_within === 'string')
    return {
      ...parent,
      $url_within: $url_within + pick(draw, '', 'y', '/y').replace(/^\//, $url_within.endsWith('/') ? '' : '/'),
    }
  if ($each !== undefined) {
    if (chance(draw, 20)) return times(draw, 2, () => childOf(draw, $each))
    return { $each: childOf(draw, $each), ...(chance(draw, 70) && { $max_items: pick(draw, 0, 1, 2) }) }
  }
  if (Array.isArray($all)) return { $all: ($all as JsonValue[]).map((part) => childOf(draw, part)) }
  return Object.fromEntries(
    Object.entries(parent)
      .filter(([, member]) => !(isObject(member) && ('$any' in member || '$optional' in member) && chance(draw, 30)))
      .map(([name, member]) => [name, childOf(draw, member)]),
  )
}

const isObjectOr = (value: JsonValue): JsonObject => (isObject(value) ? value : {})

/** A value that mostly fits the constraint. */
export function valueFor(draw: Draw, constraint: JsonValue): JsonValue {
  if (chance(draw, 5)) return anyValue(draw)
  if (Array.isArray(constraint)) return constraint.map((item) => valueFor(draw, item as JsonValue))
  if (!isObject(constraint)) return chance(draw, 15) ? digestFor(constraint) : constraint
  const { $any, $optional, $in, $min, $max, $prefix, $suffix, $email_domain, $path_within, $url_within, $each, $all } =
    constraint
  if ($any !== undefined) return anyValue(draw)
  if ($optional !== undefined) return valueFor(draw, $optional)
  if (Array.isArray($in)) return valueFor(draw, pickFrom(draw, $in as JsonValue[]))
  if ($min !== undefined || $max !== undefined)
    return pickFrom(draw, [$min ?? $max ?? 0, $max ?? $min ?? 0, scalar(draw)])
  if (typeof $prefix === 'string') return $prefix + pick(draw, '', 'b', '/x', 'x')
  if (typeof $suffix === 'string') return pick(draw, '', 'bob', 'x') + $suffix
  if (Array.isArray($email_domain)) return `bob@${pickFrom(draw, $email_domain as string[])}`
  if (typeof $path_within === 'string')
    return $path_within === '/' ? pickFrom(draw, PATHS) : $path_within + pick(draw, '', '/z', '/z/w')
  if (typeof $url_within === 'string')
    return $url_within + pick(draw, '', 'z', '/z', '?q').replace(/^\//, $url_within.endsWith('/') ? '' : '/')
  if ($each !== undefined) return times(draw, 2, () => valueFor(draw, $each))
  if (Array.isArray($all)) return valueFor(draw, pickFrom(draw, $all as JsonValue[]))
  const members = Object.entries(constraint)
    .filter(([, member]) => !(isObject(member) && ('$any' in member || '$optional' in member) && chance(draw, 30)))
    .map(([name, member]) => [name, valueFor(draw, member)] as const)
  const value = Object.fromEntries(members)
  return chance(draw, 8) ? digestFor(value) : value
}

/** The same constraint, with members, `$in` values and `$all` parts in another order. */
export function shuffled(draw: Draw, json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map((item) => shuffled(draw, item as JsonValue))
  if (!isObject(json)) return json
  const entries = Object.entries(json).map(([name, value]) => {
    const isUnordered = name === '$in' || name === '$all' || name === '$email_domain'
    const inner = shuffled(draw, value)
    return [name, isUnordered && Array.isArray(inner) ? shuffle(draw, inner as JsonValue[]) : inner] as const
  })
  return Object.fromEntries(shuffle(draw, entries))
}

export function shuffle<T>(draw: Draw, items: readonly T[]): T[] {
  return items
    .map((item) => [draw(), item] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, item]) => item)
}
