import { isDomain } from '../../core/action/email-address.ts'
import { isCanonicalPath, parseUrlBase } from '../../core/delegation/confined.ts'
import { NotationError } from './notation-error.ts'
import type { Glyph } from './read-clauses.ts'

/** A word of a value: text, where it stands, and whether any of it was quoted. */
export interface Word {
  readonly text: string
  readonly at: number
  readonly isQuoted: boolean
}

/** What a value says, before the member's schema has told what its words are. */
export type Value =
  | { readonly says: 'any' }
  | { readonly says: 'one_of'; readonly words: readonly [Word, ...Word[]] }
  | { readonly says: 'domains'; readonly domains: readonly string[]; readonly at: number }
  | { readonly says: 'prefix' | 'suffix'; readonly text: string; readonly at: number }
  | { readonly says: 'range'; readonly min?: Word; readonly max?: Word; readonly at: number }
  | { readonly says: 'path_within'; readonly base: string; readonly at: number }
  | { readonly says: 'url_within'; readonly base: string; readonly isQueryAllowed: boolean; readonly at: number }

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/

/** Reads a value of the short notation. Throws NotationError. */
export function readValue(glyphs: readonly Glyph[], at: number): Value {
  // Where quoted, a character is masked: it can be seen by no rule below.
  const mask = glyphs.map(({ char, isQuoted }) => (isQuoted ? '\0' : char)).join('')
  const text = textOf(glyphs)
  if (mask === '*') return { says: 'any' }
  if (/^(?:within|url):/.test(mask)) checkPlain(mask.replace(/\?\*$/, ''), at)
  if (mask.startsWith('within:')) return readPath(text.slice(7), at)
  if (mask.startsWith('url:')) return readUrl(text.slice(4), mask.endsWith('?*'), at)
  const range = readRange(glyphs, mask, at)
  if (range !== undefined) return range

  const parts = split(glyphs)
  const empty = parts.find((part) => part.glyphs.length === 0)
  if (parts.length > 1 && empty !== undefined) throw new NotationError('expected a value beside |', empty.at)
  const isPattern = parts.map((part) => part.glyphs.some(isStar))
  if (isPattern.every((pattern) => !pattern)) {
    const [first, ...rest] = parts.map((part) => wordOf(part.glyphs, part.at))
    if (first === undefined) throw new NotationError('expected a value', at)
    return { says: 'one_of', words: [first, ...rest] }
  }
  const domains = parts.map((part) => domainOf(part.glyphs))
  if (domains.every((domain) => domain !== undefined)) {
    for (const [i, domain] of domains.entries()) {
      const domainAt = (parts[i]?.at ?? at) + 2
      if (!isDomain(domain)) throw new NotationError(`expected a domain in lower case, such as company.com`, domainAt)
    }
    return { says: 'domains', domains, at }
  }
  if (parts.length > 1) {
    const odd = parts[domains.indexOf(undefined)]
    const rule = 'with | stand values, or patterns *@domain, not both; write two --allow for two ways'
    throw new NotationError(rule, odd?.at ?? at)
  }
  return readAffix(glyphs, at)
}

const isStar = ({ char, isQuoted }: Glyph) => char === '*' && !isQuoted
const textOf = (glyphs: readonly Glyph[]) => glyphs.map(({ char }) => char).join('')
const wordOf = (glyphs: readonly Glyph[], at: number): Word => ({
  text: textOf(glyphs),
  at: glyphs[0]?.at ?? at,
  isQuoted: glyphs.some(({ isQuoted }) => isQuoted),
})

function split(glyphs: readonly Glyph[]): { readonly glyphs: readonly Glyph[]; readonly at: number }[] {
  const parts: { glyphs: Glyph[]; at: number }[] = [{ glyphs: [], at: glyphs[0]?.at ?? 0 }]
  for (const glyph of glyphs) {
    if (glyph.char === '|' && !glyph.isQuoted) parts.push({ glyphs: [], at: glyph.at + 1 })
    else parts.at(-1)?.glyphs.push(glyph)
  }
  return parts
}

/** `*@domain` → the domain. */
function domainOf(glyphs: readonly Glyph[]): string | undefined {
  const [star, at, ...rest] = glyphs
  if (star === undefined || !isStar(star) || at?.char !== '@' || rest.some(isStar)) return undefined
  return textOf(rest)
}

function readAffix(glyphs: readonly Glyph[], at: number): Value {
  const stars = glyphs.filter(isStar)
  const [star] = stars
  const [first, last] = [glyphs[0], glyphs.at(-1)]
  if (stars.length === 1 && star === last) return { says: 'prefix', text: textOf(glyphs.slice(0, -1)), at }
  if (stars.length === 1 && star === first) return { says: 'suffix', text: textOf(glyphs.slice(1)), at }
  const odd = stars.find((glyph) => glyph !== first && glyph !== last) ?? stars[1] ?? stars[0]
  throw new NotationError(
    '* stands alone, at the end (abc*) or at the start (*abc); quote it to mean itself',
    odd?.at ?? at,
  )
}

function readRange(glyphs: readonly Glyph[], mask: string, at: number): Value | undefined {
  const comparison = /^[<>]/.exec(mask)
  if (comparison !== null) {
    if (mask[1] !== '=') throw new NotationError('only <= and >= compare', at)
    const word = wordOf(glyphs.slice(2), at + 2)
    if (!NUMBER.test(word.text)) throw new NotationError('expected a number such as 100 or 99.50', word.at)
    return mask[0] === '<' ? { says: 'range', max: word, at } : { says: 'range', min: word, at }
  }
  const dots = mask.indexOf('..')
  if (dots < 0) return undefined
  const min = wordOf(glyphs.slice(0, dots), at)
  const max = wordOf(glyphs.slice(dots + 2), at + dots + 2)
  const isNumber = ({ text }: Word) => text === '' || NUMBER.test(text)
  if (!isNumber(min) || !isNumber(max) || (min.text === '' && max.text === '')) return undefined
  return { says: 'range', at, ...(min.text !== '' && { min }), ...(max.text !== '' && { max }) }
}

/** Taken for themselves here, these would hide what was meant. */
function checkPlain(mask: string, at: number): void {
  const star = mask.indexOf('*')
  if (star >= 0) throw new NotationError('everything inside is meant already: leave the * out, or quote it', at + star)
  const bar = mask.indexOf('|')
  if (bar >= 0) throw new NotationError('one place only: write two --allow for two, or quote the |', at + bar)
}

function readPath(base: string, at: number): Value {
  if (isCanonicalPath(base)) return { says: 'path_within', base, at }
  throw new NotationError('expected an absolute path without empty, . or .. segments, such as within:/data', at + 7)
}

function readUrl(text: string, isQueryAllowed: boolean, at: number): Value {
  const base = isQueryAllowed ? text.slice(0, -2) : text
  if (parseUrlBase(base) !== undefined) return { says: 'url_within', base, isQueryAllowed, at }
  const canonical = URL.canParse(base) ? new URL(base).href : undefined
  const hint = canonical !== undefined && parseUrlBase(canonical) !== undefined ? `; write url:${canonical}` : ''
  throw new NotationError(`expected a canonical http(s) URL, such as url:https://api.example/v1/${hint}`, at + 4)
}
