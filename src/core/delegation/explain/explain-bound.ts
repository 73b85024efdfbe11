import { isDigest } from '../../action/digest.ts'
import { memberNames, memberPositions, requiredOf, rootPosition } from '../../action/schema-members.ts'
import { parseTemplate } from '../../action/template.ts'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../json.ts'
import { visible } from '../../visible.ts'
import { allowsAbsence, type Constraint, readConstraint } from '../constraint.ts'
import { phrase } from './phrase.ts'

/** What of an action type is needed to explain a bound. */
export interface ExplainedType {
  readonly type: string
  readonly title: string
  readonly template: string
  readonly schema: JsonObject
  /** Members that a digest may stand for. */
  readonly digestible: Readonly<Record<string, unknown>>
}

/** One bound in words. */
export interface Explanation {
  readonly title: string
  /** The type's own sentence, with what may stand in each place. */
  readonly sentence: string | undefined
  /** Every member of the bound and of the type, and what it may be. */
  readonly members: readonly { readonly path: string; readonly may: string }[]
  /** Where it counts; undefined: where the delegation does. */
  readonly locations: readonly string[] | undefined
  /** Why no action could ever fit, when that is so. */
  readonly useless: string | undefined
}

type Described = Parameters<typeof memberNames>[1]

/** Explains a bound, member by member, none left out. `type` is undefined when it is not known any more. */
export function explainBound(bound: JsonObject, type: ExplainedType | undefined): Explanation {
  const { type: name, locations, ...rest } = bound
  const members = new Map(Object.entries(rest).map(([member, json]) => [member, readConstraint(json)]))
  const lines: { path: string; may: string }[] = []
  const missing: string[] = []
  const described = type && { positions: [rootPosition(type.schema)], isFreeForm: false }
  describeMembers(members, '', type, described, { lines, missing })
  return {
    title: type === undefined ? visible(String(name)) : `${visible(type.title)} (${visible(type.type)})`,
    sentence: type && sentence(type, members),
    members: lines,
    locations: isJsonArray(locations) ? locations.map((location) => visible(String(location))) : undefined,
    useless: missing.length === 0 ? undefined : `every action has ${missing.join(', ')}, which this does not allow`,
  }
}

function describeMembers(
  members: ReadonlyMap<string, Constraint>,
  prefix: string,
  type: ExplainedType | undefined,
  described: Described | undefined,
  found: { readonly lines: { path: string; may: string }[]; readonly missing: string[] },
): void {
  const required = new Set(type && described ? requiredOf(type.schema, described) : [])
  // In the order of the sentence: a database keeps none.
  const known = type && described ? inOrderOf(type.template, prefix, memberNames(type.schema, described)) : []
  for (const name of new Set([...known.filter((name) => members.has(name)), ...members.keys()])) {
    const constraint = members.get(name)
    if (constraint === undefined) continue
    const path = `${prefix}${name}`
    const inner = type && described && memberPositions(type.schema, described.positions, name)
    const parts = partsOf(constraint)
    if (parts !== undefined && parts.size > 0) {
      found.lines.push({ path: visible(path), may: 'an object with' })
      describeMembers(parts, `${path}.`, type, inner, found)
      continue
    }
    const isUnseen = constraint.op === 'any' && type !== undefined && Object.hasOwn(type.digestible, path)
    const absence = constraint.op === 'any' && !required.has(name) ? ', or absent' : ''
    found.lines.push({
      path: visible(path),
      may: `${phrase(constraint)}${isUnseen ? ', even unseen (as a digest)' : ''}${absence}`,
    })
  }
  for (const name of known) {
    if (members.has(name)) continue
    found.lines.push({ path: visible(`${prefix}${name}`), may: 'must be absent' })
    if (required.has(name)) found.missing.push(visible(`${prefix}${name}`))
  }
}

/** Members by where the template names them; the others follow. */
function inOrderOf(template: string, prefix: string, names: readonly string[]): readonly string[] {
  const place = (name: string) => {
    const places = ['}', '.'].map((end) => template.indexOf(`{${prefix}${name}${end}`)).filter((at) => at >= 0)
    return Math.min(template.length, ...places)
  }
  return [...names].sort((a, b) => place(a) - place(b))
}

/** The members of an object, whether it is bounded member by member or as a whole; a digest is no such object. */
function partsOf(constraint: Constraint): ReadonlyMap<string, Constraint> | undefined {
  if (constraint.op === 'object') return constraint.members
  if (constraint.op !== 'literal' || !isJsonObject(constraint.value) || isDigest(constraint.value)) return undefined
  return new Map(Object.entries(constraint.value).map(([name, value]) => [name, { op: 'literal', value }]))
}

/** The template with, in each place, what may stand there. */
function sentence(type: ExplainedType, members: ReadonlyMap<string, Constraint>): string | undefined {
  return parseTemplate(type.template)
    ?.map((part) => ('text' in part ? visible(part.text) : `⟨${placePhrase(part.path, members)}⟩`))
    .join('')
}

function placePhrase(path: readonly string[], members: ReadonlyMap<string, Constraint>): string {
  const [name = '', ...rest] = path
  const constraint = members.get(name)
  if (constraint === undefined) return 'none'
  if (rest.length === 0) return phrase(constraint)
  if (constraint.op === 'object') return placePhrase(rest, constraint.members)
  if (constraint.op === 'any') return 'anything'
  if (constraint.op === 'literal') return literalAt(constraint.value, rest)
  return allowsAbsence(constraint) ? 'none, or as said below' : 'as said below'
}

function literalAt(value: JsonValue, path: readonly string[]): string {
  let at: JsonValue | undefined = value
  for (const name of path) {
    at = typeof at === 'object' && at !== null && !Array.isArray(at) ? (at as JsonObject)[name] : undefined
  }
  return at === undefined ? 'none' : phrase({ op: 'literal', value: at })
}
