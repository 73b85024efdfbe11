import { isJsonArray, isJsonObject, type JsonValue } from '../json.ts'

/**
 * Compares paths by where they lie in a value: the value itself, then its members and elements as they were written. A
 * member that is missing lies after everything in the object that lacks it. Total, so that sorting by it is deterministic.
 *
 * Follows each path once and looks at nothing else: a value with many members costs no more than the way to the one that
 * is asked for (test/attacks/large-values.test.ts).
 */
export function memberOrder(value: JsonValue): (a: string, b: string) => number {
  return (a, b) => comparePositions(positionOf(value, a), positionOf(value, b)) || (a < b ? -1 : a > b ? 1 : 0)
}

/** Where a path leads: the index of the member or element at each level, and Infinity where there is none. */
function positionOf(value: JsonValue, path: string): readonly number[] {
  const position: number[] = []
  let [here, rest]: [JsonValue | undefined, string] = [value, path]
  while (rest !== '') {
    const step: Step | undefined = isJsonArray(here)
      ? elementStep(here, rest)
      : isJsonObject(here)
        ? memberStep(here, rest)
        : undefined
    position.push(step?.index ?? Number.POSITIVE_INFINITY)
    if (step === undefined) break
    here = step.value
    rest = step.rest
  }
  return position
}

interface Step {
  readonly index: number
  readonly value: JsonValue | undefined
  readonly rest: string
}

function elementStep(array: readonly JsonValue[], path: string): Step | undefined {
  const [all, digits] = /^\[(\d{1,9})\]\.?/.exec(path) ?? []
  if (all === undefined) return undefined
  const index = Number(digits)
  return { index, value: array[index], rest: path.slice(all.length) }
}

/** The member that the path begins with: the longest name that fits, since a name may hold a dot itself. */
function memberStep(object: { readonly [name: string]: JsonValue }, path: string): Step | undefined {
  let found: { readonly name: string; readonly index: number } | undefined
  for (const [index, name] of Object.keys(object).entries()) {
    if (found !== undefined && name.length <= found.name.length) continue
    const after = path[name.length]
    if ((after === undefined || after === '.' || after === '[') && path.startsWith(name)) found = { name, index }
  }
  if (found === undefined) return undefined
  const rest = path.slice(found.name.length)
  return { index: found.index, value: object[found.name], rest: rest.startsWith('.') ? rest.slice(1) : rest }
}

/** What lies around comes before what lies inside. */
function comparePositions(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0]
    if (x !== y) return x < y ? -1 : 1
  }
  return a.length - b.length
}
