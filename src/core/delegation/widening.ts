import type { DigestPlace } from '../action/digest.ts'
import { memberPath } from '../action/member-path.ts'
import type { Bound } from './bound.ts'
import { allowsAbsence, type Constraint } from './constraint.ts'
import type { Gap } from './fits.ts'
import { constraintWithin, within } from './within.ts'

/** A child's bound that no bound of its parent holds. */
export interface Widening extends Gap {
  /** Of the child's bounds. */
  readonly index: number
}

/**
 * Finds the first child bound that is not within one parent bound, and in it the first member that is wider than in the
 * parent bound that comes closest.
 *
 * `within` alone decides; here is only said where it said no.
 *
 * @returns undefined when every child bound is within one parent bound.
 */
export function widening(children: readonly Bound[], parents: readonly Bound[]): Widening | undefined {
  const index = children.findIndex((child) => !parents.some((parent) => within(child, parent)))
  const child = children[index]
  if (child === undefined) return undefined
  const positions = [...child.members.keys()]
  const gaps = parents
    .filter(({ type }) => type.type === child.type.type && type.version === child.type.version)
    .map((parent) => firstWiderMember(child, parent))
    .toSorted((a, b) => depthOf(b, positions) - depthOf(a, positions) || (a < b ? -1 : a > b ? 1 : 0))
  // No bound of this type: then the type is what is wider.
  const member = gaps.length === 0 ? 'type' : (gaps[0] ?? '')
  return { index, member: memberPath(`authorization_details[${index}]`, member) }
}

/** How far a comparison came: places come first, then members in the order of the child, then those it lacks. */
function depthOf(gap: string, positions: readonly string[]): number {
  if (gap === 'locations') return -1
  const at = positions.findIndex((name) => gap === name || gap.startsWith(`${name}.`) || gap.startsWith(`${name}[`))
  return at === -1 ? positions.length : at
}

function firstWiderMember(child: Bound, parent: Bound): string {
  if (!child.locations.every((location) => parent.locations.includes(location))) return 'locations'
  try {
    return widerMember(child.members, parent.members, child.type.digestPlaces) ?? ''
  } catch {
    return ''
  }
}

function widerMember(
  child: ReadonlyMap<string, Constraint>,
  parent: ReadonlyMap<string, Constraint>,
  place: DigestPlace | undefined,
): string | undefined {
  for (const [name, c] of child) {
    const p = parent.get(name)
    const inner = place?.members.get(name)
    if (p === undefined || (allowsAbsence(c) && !allowsAbsence(p))) return name
    if (constraintWithin(c, p, inner)) continue
    const deeper = c.op === 'object' && p.op === 'object' ? widerMember(c.members, p.members, inner) : undefined
    return deeper === undefined ? name : memberPath(name, deeper)
  }
  return [...parent.keys()].filter((name) => !child.has(name) && !isOpen(parent.get(name))).toSorted()[0]
}

const isOpen = (constraint: Constraint | undefined) => constraint !== undefined && allowsAbsence(constraint)
