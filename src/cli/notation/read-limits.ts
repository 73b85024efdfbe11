import { parseDecimal } from '../../core/delegation/decimal.ts'
import { NotationError } from './notation-error.ts'

/** `rates` of the API. */
export interface WrittenRate {
  readonly seconds: number
  readonly max_uses: number
}

/** `sums` of the API. */
export interface WrittenSum {
  readonly member: string
  readonly max: string
  readonly per?: string
  readonly seconds?: number
}

/** `delegable` of the API. */
export interface WrittenDelegable {
  readonly max_depth: number
  readonly agents?: readonly string[]
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }
const WINDOW = /^([1-9][0-9]{0,8})?([smhd])$/
const MEMBER = /^[^.$[\]\s][^.[\]\s]*(\.[^.$[\]\s][^.[\]\s]*)*$/

/** Reads a window such as `60s`, `1h` or `30d`; `h` alone is `1h`. Unit of the answer: seconds. */
function readWindow(text: string, at: number): number {
  const [, count = '1', unit = ''] = WINDOW.exec(text) ?? []
  const size = UNITS[unit]
  if (size === undefined) throw new NotationError('a window is a number and s, m, h or d, such as 60s or 30d', at)
  return Number(count) * size
}

/**
 * Reads a rate: `10/60s`, ten in any sixty seconds.
 *
 * @throws NotationError that points at what is wrong.
 */
export function readRate(text: string): WrittenRate {
  const slash = text.indexOf('/')
  if (slash < 0) throw new NotationError('a rate is uses/window, such as 10/60s', text.length)
  const uses = text.slice(0, slash)
  if (!/^[1-9][0-9]{0,9}$/.test(uses)) throw new NotationError('uses are a whole number from 1 on', 0)
  return { seconds: readWindow(text.slice(slash + 1), slash + 1), max_uses: Number(uses) }
}

/**
 * Reads a sum: `instructedAmount.amount<=100.00 per instructedAmount.currency in 30d`; `per` and `in` may be left out.
 *
 * @throws NotationError that points at what is wrong.
 */
export function readSum(text: string): WrittenSum {
  const words = [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({ word, at: index }))
  const [first, ...rest] = words
  const [member = '', max] = first === undefined ? [] : first.word.split('<=')
  const start = first?.at ?? 0
  if (max === undefined) throw new NotationError('a sum is member<=amount, such as amount<=100.00', start)
  checkMember(member, start)
  if ((parseDecimal(max)?.units ?? -1n) < 0n) {
    throw new NotationError('an amount is a decimal number, such as 100.00', start + member.length + '<='.length)
  }
  let sum: WrittenSum = { member, max }
  for (let n = 0; n < rest.length; n += 2) {
    const { word, at } = rest[n] ?? { word: '', at: 0 }
    const next = rest[n + 1]
    if (word !== 'per' && word !== 'in') throw new NotationError('after the amount comes per MEMBER or in WINDOW', at)
    if (next === undefined) throw new NotationError(`${word} is followed by ${AFTER[word]}`, at + word.length)
    if (word === 'per' ? sum.per !== undefined : sum.seconds !== undefined) {
      throw new NotationError(`${word} is there twice`, at)
    }
    if (word === 'per') checkMember(next.word, next.at)
    sum = word === 'per' ? { ...sum, per: next.word } : { ...sum, seconds: readWindow(next.word, next.at) }
  }
  return sum
}

const AFTER = { per: 'a member', in: 'a window such as 30d' } as const

function checkMember(name: string, at: number): void {
  if (!MEMBER.test(name)) throw new NotationError('a member is names joined by dots, such as price.amount', at)
}

/**
 * Reads how far a delegation may be given on: `2`, or `2:helper,runner` for these agents only.
 *
 * @throws NotationError that points at what is wrong.
 */
export function readDelegable(text: string): WrittenDelegable {
  const colon = text.indexOf(':')
  const depth = colon < 0 ? text : text.slice(0, colon)
  if (!/^[0-7]$/.test(depth)) throw new NotationError('the depth is a whole number from 0 to 7', 0)
  if (colon < 0) return { max_depth: Number(depth) }
  const agents = text.slice(colon + 1).split(',')
  let at = colon + 1
  for (const agent of agents) {
    if (!/^[a-z0-9._-]{1,255}$/.test(agent)) throw new NotationError('agents are ids, separated by commas', at)
    at += agent.length + 1
  }
  return { max_depth: Number(depth), agents }
}

/** A window as it would be written: the largest unit that it is a whole number of. */
export function windowText(seconds: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, each]) => seconds % each === 0) ?? ['s', 1]
  return `${seconds / size}${unit}`
}
