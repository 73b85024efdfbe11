import { type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'
import { NotationError } from './notation-error.ts'

/** One character of a value. What stood in double quotes is never special. */
export interface Glyph {
  readonly char: string
  readonly at: number
  readonly isQuoted: boolean
}

export interface Name {
  readonly name: string
  readonly at: number
}

/** `member=value`, read but not understood yet: what the value means depends on the member. */
export interface Clause {
  readonly path: readonly [Name, ...Name[]]
  /** Written `member?=`. */
  readonly isOptional: boolean
  readonly value: { readonly glyphs: readonly Glyph[] } | { readonly json: JsonValue }
  readonly valueAt: number
  /** Of the `max-items=` that follows. */
  readonly maxItems?: { readonly count: number; readonly at: number }
}

export interface Clauses {
  readonly type: Name
  readonly clauses: readonly Clause[]
}

const MAX_LENGTH = 16 * 1024
const NAME = /[A-Za-z_][A-Za-z0-9_-]*/y
const SPACE = /\s*/y
const OPERATOR = /<=|>=|=/y
const TYPE = /\S+/y

/** Reads `type member=value member=value …`. Throws NotationError. */
export function readClauses(text: string): Clauses {
  if (text.length > MAX_LENGTH) throw new NotationError('longer than 16384 characters', 0)
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }

  take(SPACE)
  const typeAt = at
  const type = take(TYPE)
  if (type === undefined) throw new NotationError('expected the name of an action type, such as email_send', at)
  if (/[=<>"*|]/.test(type)) throw new NotationError('expected an action type first: email_send to=…', typeAt)

  const clauses: Clause[] = []
  for (take(SPACE); at < text.length; take(SPACE)) {
    const path = readPath()
    const isOptional = text[at] === '?'
    if (isOptional) at++
    const operatorAt = at
    const operator = take(OPERATOR)
    if (operator === undefined) {
      throw new NotationError(`expected = after ${path.map(({ name }) => name).join('.')}`, at)
    }
    // `amount<=100` is short for `amount=<=100`.
    const prefix = operator === '=' ? [] : glyphsOf(operator, operatorAt)
    const valueAt = operator === '=' ? at : operatorAt
    const value = prefix.length === 0 ? readValue() : { glyphs: [...prefix, ...readGlyphs()] }
    if ('glyphs' in value && value.glyphs.length === prefix.length) {
      throw new NotationError('expected a value; * is anything, "" the empty text', at)
    }
    if (path.length === 1 && path[0].name === MAX_ITEMS) attachMaxItems(path[0].at, value, valueAt)
    else clauses.push({ path, isOptional, value, valueAt })
  }
  return { type: { name: type, at: typeAt }, clauses }

  function readPath(): readonly [Name, ...Name[]] {
    const names: Name[] = []
    do {
      const nameAt = at
      const name = take(NAME)
      if (name === undefined) throw new NotationError('expected the name of a member', at)
      names.push({ name, at: nameAt })
    } while (text[at] === '.' && ++at > 0)
    const [first, ...rest] = names
    if (first === undefined) throw new NotationError('expected the name of a member', at)
    return [first, ...rest]
  }

  function readValue(): Clause['value'] {
    if (text[at] !== '{' && text[at] !== '[') return { glyphs: readGlyphs() }
    const start = at
    at = endOfJson(text, start)
    const json = parseJson(text.slice(start, at))
    if (isRefusal(json)) throw new NotationError(`not valid JSON: ${json.detail}`, start)
    return { json }
  }

  function readGlyphs(): Glyph[] {
    const glyphs: Glyph[] = []
    let openedAt: number | undefined
    for (; at < text.length; at++) {
      const char = text[at] ?? ''
      if (openedAt === undefined && /\s/.test(char)) break
      if (char === '"') {
        // Two quotation marks with nothing between them are a value: the empty text.
        if (openedAt === at - 1) glyphs.push({ char: '', at, isQuoted: true })
        openedAt = openedAt === undefined ? at : undefined
      } else if (char === '\\' && openedAt !== undefined) {
        const next = text[at + 1]
        if (next !== '"' && next !== '\\') throw new NotationError('inside quotes \\ stands before " or \\ only', at)
        glyphs.push({ char: next, at: at++, isQuoted: true })
      } else glyphs.push({ char, at, isQuoted: openedAt !== undefined })
    }
    if (openedAt !== undefined) throw new NotationError('the quotation mark is not closed', openedAt)
    return glyphs
  }

  function attachMaxItems(nameAt: number, value: Clause['value'], valueAt: number): void {
    const last = clauses.pop()
    if (last === undefined) throw new NotationError('max-items stands after the member that it limits', nameAt)
    if (last.maxItems !== undefined) throw new NotationError('max-items is there already', nameAt)
    const digits = 'glyphs' in value ? value.glyphs.map(({ char }) => char).join('') : ''
    if (!/^(?:0|[1-9][0-9]{0,5})$/.test(digits)) throw new NotationError('expected a whole number', valueAt)
    clauses.push({ ...last, maxItems: { count: Number(digits), at: nameAt } })
  }
}

const MAX_ITEMS = 'max-items'

const glyphsOf = (text: string, at: number): Glyph[] =>
  Array.from(text, (char, i) => ({ char, at: at + i, isQuoted: false }))

/** Where the JSON value that begins here ends. */
function endOfJson(text: string, start: number): number {
  let depth = 0
  let isInString = false
  for (let at = start; at < text.length; at++) {
    const char = text[at]
    if (isInString) {
      if (char === '\\') at++
      else if (char === '"') isInString = false
    } else if (char === '"') isInString = true
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1
  }
  throw new NotationError('the JSON value is not closed', start)
}
