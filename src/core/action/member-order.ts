import { isJsonArray, isJsonObject, type JsonValue } from '../json.ts'
import { elementPath, memberPath } from './member-path.ts'

/**
 * Compares paths by where they lie in a value: the value itself, then its members and elements as they were written. A
 * member that is missing lies after everything in the object that lacks it. Total, so that sorting by it is deterministic.
 */
export function memberOrder(value: JsonValue): (a: string, b: string) => number {
  const order = new Map([...paths(value)].map((path, index) => [path, index]))
  const rank = (path: string) => order.get(path) ?? missingRank(path, order)
  return (a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0)
}

function missingRank(path: string, order: ReadonlyMap<string, number>): number {
  const parent = path.slice(0, Math.max(path.lastIndexOf('.'), 0))
  if (path === '' || (parent !== '' && !order.has(parent))) return -1
  let last = -1
  for (const [known, index] of order) {
    const isInside =
      parent === '' || known === parent || known.startsWith(`${parent}.`) || known.startsWith(`${parent}[`)
    if (isInside && index > last) last = index
  }
  return last + 0.5
}

/** The paths of all members and elements, in document order. */
function* paths(value: JsonValue): Generator<string> {
  const parts: readonly (readonly [string, JsonValue])[] = isJsonArray(value)
    ? value.map((item, i) => [elementPath(i, ''), item] as const)
    : isJsonObject(value)
      ? Object.entries(value)
      : []
  for (const [name, part] of parts) {
    yield name
    for (const rest of paths(part)) yield memberPath(name, rest)
  }
}
