import {
  certainSchemas,
  type MemberPositions,
  memberNames,
  memberPositions,
  requiredOf,
  rootPosition,
} from '../../core/action/schema-members.ts'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { NotationError } from './notation-error.ts'
import { type Clause, type Clauses, readClauses } from './read-clauses.ts'
import { toConstraint } from './to-constraint.ts'

/** A bound, and what its writer should be told. */
export interface WrittenBound {
  readonly bound: JsonObject
  /** Members that an action must have and that the text did not mention: they may be anything. */
  readonly implied: readonly string[]
}

/** The action type that a text names. */
export interface KnownType {
  readonly type: string
  readonly schema: JsonObject
}

/** Only the name of the type, so that its schema can be fetched. Throws NotationError. */
export const typeNamedBy = (text: string): string => readClauses(text).type.name

/**
 * Reads a bound in the short notation: `email_send to=*@company.com max-items=2`.
 *
 * A member that every action of the type has, and that is not mentioned, may be anything; one that an action may leave
 * out, and that is not mentioned, must be left out. Throws NotationError, which knows the character.
 */
export function toBound(text: string, { type, schema }: KnownType): WrittenBound {
  const read = readClauses(text)
  const root = new Level({ positions: [rootPosition(schema)], isFreeForm: false })
  let locations: JsonValue | undefined
  for (const clause of read.clauses) {
    if (clause.path.length === 1 && clause.path[0].name === 'locations') locations = locationsOf(clause)
    else place(clause, root, schema)
  }
  checkChoices(read, root, schema)
  const implied: string[] = []
  const members = root.toJson(schema, '', implied)
  return { bound: { type, ...(locations !== undefined && { locations }), ...members }, implied }
}

/** An object that is being described, member by member. A class because it grows. */
class Level {
  readonly described: MemberPositions
  readonly members = new Map<string, JsonValue | Level>()

  constructor(described: MemberPositions) {
    this.described = described
  }

  toJson(schema: JsonObject, path: string, implied: string[]): JsonObject {
    const json: Record<string, JsonValue> = {}
    for (const [name, member] of this.members) {
      json[name] = member instanceof Level ? member.toJson(schema, `${path}${name}.`, implied) : member
    }
    for (const name of requiredOf(schema, this.described)) {
      if (this.members.has(name)) continue
      json[name] = { $any: true }
      implied.push(`${path}${name}`)
    }
    return json
  }
}

function place(clause: Clause, root: Level, schema: JsonObject): void {
  let level = root
  for (const [i, { name, at }] of clause.path.entries()) {
    const inner = memberPositions(schema, level.described.positions, name)
    const isFreeForm = level.described.isFreeForm || inner.isFreeForm
    if (inner.positions.length === 0 && !isFreeForm) {
      const known = memberNames(schema, level.described)
      const has = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`
      throw new NotationError(`${i === 0 ? 'the type' : 'the object'} has no member ${name}; ${has}`, at)
    }
    const described = { ...inner, isFreeForm }
    const held = level.members.get(name)
    if (i < clause.path.length - 1) {
      if (held !== undefined && !(held instanceof Level)) throw twice(name, at)
      const next = held ?? new Level(described)
      level.members.set(name, next)
      level = next
    } else {
      if (held !== undefined) throw twice(name, at)
      level.members.set(name, toConstraint(clause, schema, described))
    }
  }
}

const twice = (name: string, at: number) =>
  new NotationError(`${name} is there already; two constraints on one member need --bounds and "$all"`, at)

/** Where the bound counts; for a delegation without one resource (a plain list, compared apart). */
function locationsOf({ value, valueAt }: Clause): JsonValue {
  if ('json' in value) return value.json
  const text = value.glyphs.map(({ char }) => char).join('')
  if (value.glyphs.some(({ char, isQuoted }) => char === '*' && !isQuoted)) {
    throw new NotationError('locations are resource identifiers, each in full', valueAt)
  }
  return text.split('|')
}

/** "One of these members" is not told by `required`: a bound that names none of them would allow nothing. */
function checkChoices({ type }: Clauses, root: Level, schema: JsonObject): void {
  for (const part of certainSchemas(schema, root.described)) {
    for (const branches of [part.oneOf, part.anyOf]) {
      if (!isJsonArray(branches)) continue
      const choices = branches.map((branch) => (isJsonObject(branch) ? textsOf(branch.required) : []))
      if (choices.some((names) => names.every((name) => root.members.has(name)))) continue
      const names = choices.map((choice) => choice.join(' and '))
      const end = type.at + type.name.length
      throw new NotationError(`an action has ${names.join(' or ')}: say what it may be, as in ${names[0]}=*`, end)
    }
  }
}

const textsOf = (value: JsonValue | undefined): string[] =>
  isJsonArray(value) ? value.filter((item) => typeof item === 'string') : []
