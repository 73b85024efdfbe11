import { canonicalJson, isJsonArray, isJsonObject, type JsonValue } from '../../json.ts'
import { visible } from '../../visible.ts'
import type { Constraint } from '../constraint.ts'

/** What a constraint lets a value be, in words; everything that was written is in them. */
export function phrase(constraint: Constraint): string {
  switch (constraint.op) {
    case 'literal':
      return valuePhrase(constraint.value)
    case 'any':
      return 'anything'
    case 'optional':
      return `absent, or ${phrase(constraint.inner)}`
    case 'in':
      return constraint.values.length === 1
        ? constraint.values.map(valuePhrase).join()
        : `one of ${constraint.values.map(valuePhrase).join(', ')}`
    case 'min':
      return `at least ${constraint.limit}`
    case 'max':
      return `at most ${constraint.limit}`
    case 'prefix':
      return `a text that begins with ${quoted(constraint.text)}`
    case 'suffix':
      return `a text that ends with ${quoted(constraint.text)}`
    case 'email_domain':
      return `an address at ${constraint.domains.map(visible).join(' or ')}`
    case 'path_within':
      return `the path ${visible(constraint.base)} or one inside it`
    case 'url_within':
      return `the URL ${visible(constraint.base)} or one inside it, ${constraint.isQueryAllowed ? 'with or without' : 'without'} a query`
    case 'each': {
      const { inner, maxItems } = constraint
      const size =
        maxItems === undefined ? 'a list of any length' : `at most ${maxItems} ${maxItems === 1 ? 'item' : 'items'}`
      return inner.op === 'any' ? `${size}, whatever they are` : `${size}, each ${phrase(inner)}`
    }
    case 'all':
      return rangePhrase(constraint.parts) ?? constraint.parts.map(phrase).join(', and ')
    case 'array':
      return `a list of exactly ${constraint.items.length}: ${constraint.items.map((item, n) => `(${n + 1}) ${phrase(item)}`).join(', ')}`
    case 'object':
      return `an object with ${[...constraint.members].map(([name, member]) => `${visible(name)}: ${phrase(member)}`).join('; ')}; and nothing else`
  }
}

function rangePhrase(parts: readonly Constraint[]): string | undefined {
  const [min, max] = parts
  if (parts.length !== 2 || min?.op !== 'min' || max?.op !== 'max') return undefined
  return `from ${min.limit} to ${max.limit}`
}

const quoted = (text: string) => `“${visible(text)}”`

/** A value as it was written, told from the words around it. */
function valuePhrase(value: JsonValue): string {
  if (typeof value === 'string') return quoted(value)
  if (isJsonArray(value)) return `the list [${value.map(valuePhrase).join(', ')}]`
  if (!isJsonObject(value)) return String(value)
  const { s256, ...rest } = value
  if (typeof s256 === 'string' && Object.keys(rest).length === 0) return `what has the SHA-256 ${visible(s256)}`
  return visible(canonicalJson(value))
}
