import {
  elementPositions,
  inPlace,
  type MemberPositions,
  memberPositions,
  requiredOf,
  rootPosition,
} from '../action/schema-members.ts'
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import { visible } from '../visible.ts'
import type { Bound } from './bound.ts'
import type { Constraint } from './constraint.ts'

/** One thing that can be made narrower; `name` is the field of a form that says how, or the beginning of several. */
export type Control = {
  readonly name: string
  /** Of the member, as a person reads it. */
  readonly path: string
} & (
  | { readonly kind: 'choices'; readonly options: readonly string[] }
  /** Lines, one value each; empty: as it was asked for. */
  | { readonly kind: 'only' }
  | { readonly kind: 'min' | 'max'; readonly limit: string }
  /** How many items at most; empty: as it was asked for. */
  | { readonly kind: 'items'; readonly limit: string }
  | { readonly kind: 'within'; readonly text: string }
  | { readonly kind: 'absent' }
)

export interface Answers {
  readonly get: (name: string) => string | undefined
}

/** What cannot be made of the answers; `path` is the member. */
export class NarrowingError extends Error {
  readonly path: string
  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

/** A bound as it may be narrowed: the controls to show, and what the answers make of it. */
export interface Narrowing {
  readonly controls: readonly Control[]
  /** @throws NarrowingError. Whatever it returns is still to be judged: that it is narrower is not believed. */
  readonly apply: (answers: Answers) => JsonObject
}

interface Node {
  readonly controls: readonly Control[]
  /** Undefined: the member is left out. */
  readonly build: (answers: Answers) => JsonValue | undefined
}

interface Place {
  readonly schema: JsonObject
  readonly described: MemberPositions
  readonly path: string
  readonly isRequired: boolean
  /** Names of fields, one after the other. */
  readonly next: () => string
  /** Few fields: no boxes to tick, lines instead. */
  readonly isCompact: boolean
}

const MAX_CHOICES = 6
const MAX_LINES = 50
const MAX_LINE_CHARACTERS = 1_000

/**
 * How a principal can make a bound narrower, member by member.
 *
 * @param prefix of the names of its fields.
 */
export function narrowing(bound: Bound, prefix: string, isCompact = false): Narrowing {
  let count = 0
  const node = objectNode(bound.members, {
    ...{ schema: bound.type.schema, path: '', isRequired: true, isCompact },
    described: { positions: [rootPosition(bound.type.schema)], isFreeForm: false },
    next: () => `${prefix}.${count++}`,
  })
  const { type, locations } = bound.json
  return {
    controls: node.controls,
    apply: (answers) => {
      const members = node.build(answers)
      return { type: type ?? '', ...(locations !== undefined && { locations }), ...(isJsonObject(members) && members) }
    },
  }
}

function objectNode(members: ReadonlyMap<string, Constraint>, place: Place): Node {
  const required = new Set(requiredOf(place.schema, place.described))
  const nodes = [...members].map(([name, constraint]) => {
    const inner = memberPositions(place.schema, place.described.positions, name)
    const path = place.path === '' ? name : `${place.path}.${name}`
    return [name, nodeOf(constraint, { ...place, described: inner, path, isRequired: required.has(name) })] as const
  })
  return {
    controls: nodes.flatMap(([, { controls }]) => controls),
    build: (answers) =>
      Object.fromEntries(
        nodes.flatMap(([name, { build }]) => {
          const value = build(answers)
          return value === undefined ? [] : [[name, value]]
        }),
      ),
  }
}

function nodeOf(constraint: Constraint, place: Place): Node {
  switch (constraint.op) {
    case 'literal':
      return fixed(constraint.value)
    case 'in':
      return inNode(constraint.values, place)
    case 'any':
      return withAbsence(anyNode(place), place, (inner) => inner)
    case 'optional':
      return withAbsence(nodeOf(constraint.inner, place), place, (inner) => ({ $optional: inner }))
    case 'min':
    case 'max':
      return limitNode(constraint.op, constraint.limit, place)
    case 'all':
      return allNode(constraint.parts, place)
    case 'prefix':
    case 'suffix':
      return withinNode(`$${constraint.op}`, constraint.text, {}, place)
    case 'path_within':
      return withinNode('$path_within', constraint.base, {}, place)
    case 'url_within':
      return withinNode('$url_within', constraint.base, constraint.isQueryAllowed ? { $query: true } : {}, place)
    case 'email_domain':
      return domainNode(constraint.domains, place)
    case 'each':
      return eachNode(constraint.inner, constraint.maxItems, place)
    case 'array': {
      const nodes = constraint.items.map((item, n) => nodeOf(item, elementOf(place, `[${n}]`)))
      return {
        controls: nodes.flatMap(({ controls }) => controls),
        build: (answers) => nodes.map(({ build }) => build(answers) ?? null),
      }
    }
    case 'object':
      return objectNode(constraint.members, place)
  }
}

const fixed = (value: JsonValue): Node => ({ controls: [], build: () => value })

/** A member that may be missing may also be said to have to be. */
function withAbsence(node: Node, place: Place, wrap: (inner: JsonValue) => JsonValue): Node {
  const wrapped = (answers: Answers) => {
    const inner = node.build(answers)
    return inner === undefined ? undefined : wrap(inner)
  }
  if (place.isRequired) return { controls: node.controls, build: wrapped }
  const name = place.next()
  return {
    controls: [...node.controls, { name, path: place.path, kind: 'absent' }],
    build: (answers) => (answers.get(name) === undefined ? wrapped(answers) : undefined),
  }
}

function anyNode(place: Place): Node {
  const types = typesAt(place)
  if (types?.has('array')) return eachNode({ op: 'any' }, undefined, place)
  return types !== undefined && !types.has('object') ? onlyNode({ $any: true }, place) : fixed({ $any: true })
}

/** As it was asked for, or these values alone. */
function onlyNode(otherwise: JsonValue, place: Place): Node {
  const name = place.next()
  return {
    controls: [{ name, path: place.path, kind: 'only' }],
    build: (answers) => oneOf(linesOf(answers.get(name), place).map((line) => valueIn(line, place))) ?? otherwise,
  }
}

function inNode(values: readonly JsonValue[], place: Place): Node {
  const texts = values.map(textOf)
  const name = place.next()
  const { path } = place
  if (place.isCompact || values.length > MAX_CHOICES) {
    return {
      controls: [{ name, path, kind: 'only' }],
      build: (answers) => {
        const chosen = linesOf(answers.get(name), place).map((line) => {
          const at = texts.indexOf(line)
          if (at === -1) throw new NarrowingError(path, 'one of these is not among what was asked for')
          return values[at] ?? null
        })
        return oneOf(chosen) ?? { $in: [...values] }
      },
    }
  }
  return {
    controls: [{ name, path, kind: 'choices', options: texts }],
    build: (answers) => ({ $in: chosenOf(values, name, answers, path) }),
  }
}

function domainNode(domains: readonly string[], place: Place): Node {
  if (place.isCompact || domains.length > MAX_CHOICES) return onlyNode({ $email_domain: [...domains] }, place)
  const name = place.next()
  const only = onlyNode(null, place)
  return {
    controls: [{ name, path: place.path, kind: 'choices', options: [...domains] }, ...only.controls],
    build: (answers) => only.build(answers) ?? { $email_domain: chosenOf(domains, name, answers, place.path) },
  }
}

function chosenOf<T>(values: readonly T[], name: string, answers: Answers, path: string): T[] {
  const chosen = values.filter((_, n) => answers.get(`${name}.${n}`) !== undefined)
  if (chosen.length === 0)
    throw new NarrowingError(path, 'nothing of it is left: choose something, or leave the whole out')
  return chosen
}

function limitNode(kind: 'min' | 'max', limit: number | string, place: Place): Node {
  const name = place.next()
  return {
    controls: [{ name, path: place.path, kind, limit: String(limit) }],
    build: (answers) => {
      const text = answers.get(name)?.trim() ?? ''
      if (text === '') return { [`$${kind}`]: limit }
      if (typeof limit === 'string') return { [`$${kind}`]: text }
      const number = Number(text)
      if (!Number.isFinite(number)) throw new NarrowingError(place.path, 'is not a number')
      return { [`$${kind}`]: number }
    },
  }
}

function allNode(parts: readonly Constraint[], place: Place): Node {
  const nodes = parts.map((part) => nodeOf(part, { ...place, isRequired: true }))
  const isRange = parts.length === 2 && parts[0]?.op === 'min' && parts[1]?.op === 'max'
  return {
    controls: nodes.flatMap(({ controls }) => controls),
    build: (answers) => {
      const built = nodes.map(({ build }) => build(answers) ?? null)
      return isRange ? Object.assign({}, ...built) : { $all: built }
    },
  }
}

function withinNode(operator: string, text: string, beside: JsonObject, place: Place): Node {
  const name = place.next()
  const only = onlyNode(null, place)
  return {
    controls: [{ name, path: place.path, kind: 'within', text }, ...only.controls],
    build: (answers) => only.build(answers) ?? { [operator]: answers.get(name)?.trim() || text, ...beside },
  }
}

function eachNode(inner: Constraint, maxItems: number | undefined, place: Place): Node {
  const name = place.next()
  const element = nodeOf(inner, { ...elementOf(place, '[]'), isRequired: true })
  return {
    controls: [{ name, path: place.path, kind: 'items', limit: maxItems?.toString() ?? '' }, ...element.controls],
    build: (answers) => {
      const text = answers.get(name)?.trim() ?? ''
      if (text !== '' && !/^[0-9]{1,9}$/.test(text)) throw new NarrowingError(place.path, 'is not a whole number')
      const max = text === '' ? maxItems : Number(text)
      const built = element.build(answers) ?? null
      const isUnchanged = max === undefined && inner.op === 'any' && canonicalJson(built) === '{"$any":true}'
      return isUnchanged && maxItems === undefined
        ? { $any: true }
        : { $each: built, ...(max !== undefined && { $max_items: max }) }
    },
  }
}

function elementOf(place: Place, step: string): Place {
  const described = elementPositions(place.schema, place.described.positions)
  return { ...place, described, path: `${place.path}${step}`, isRequired: true }
}

const oneOf = (values: readonly JsonValue[]): JsonValue | undefined =>
  values.length === 0 ? undefined : { $in: [...values] }

const textOf = (value: JsonValue) => visible(typeof value === 'string' ? value : canonicalJson(value))

function linesOf(text: string | undefined, { path }: Place): readonly string[] {
  const lines = (text ?? '').split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]))
  if (lines.length > MAX_LINES || lines.some((line) => line.length > MAX_LINE_CHARACTERS)) {
    throw new NarrowingError(path, `at most ${MAX_LINES} lines of ${MAX_LINE_CHARACTERS} characters`)
  }
  return lines
}

function valueIn(line: string, place: Place): JsonValue {
  const types = typesAt(place)
  if (types === undefined || types.has('string')) return line
  if (types.has('boolean') && (line === 'true' || line === 'false')) return line === 'true'
  const number = Number(line)
  if ((types.has('number') || types.has('integer')) && Number.isFinite(number)) return number
  throw new NarrowingError(place.path, 'is no value of this member')
}

/** What the schema certainly says a value is; undefined: it does not say. */
function typesAt({ schema, described }: Place): ReadonlySet<string> | undefined {
  let types: readonly string[] | undefined
  for (const { schema: part, isCertain } of described.positions.flatMap((position) => inPlace(schema, position))) {
    if (!isCertain || !isJsonObject(part) || part.type === undefined) continue
    const named = (isJsonArray(part.type) ? part.type : [part.type]).map(String)
    types = types?.filter((type) => named.includes(type)) ?? named
  }
  return types && new Set(types)
}
