/** Longest decimal string that counts as one. Unit: characters. */
const MAX_DECIMAL_LENGTH = 40
const DECIMAL = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$/

/** An exact decimal number: `units` × 10^−`scale`. */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
}

/** Reads a decimal string such as `123.50`; undefined for anything else, negative zero in any spelling included. */
export function parseDecimal(text: string): Decimal | undefined {
  return text.length > MAX_DECIMAL_LENGTH ? undefined : readDecimal(text)
}

/** The same without a limit of its length: for what was added up. */
export function readDecimal(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = ''] = match
  const units = BigInt(whole + fraction)
  if (sign === '-' && units === 0n) return undefined
  return { units: sign === '-' ? -units : units, scale: fraction.length }
}

/** Negative, zero or positive, as a is less than, equal to or greater than b. Exact: no double is involved. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale)
  const difference = a.units * 10n ** BigInt(scale - a.scale) - b.units * 10n ** BigInt(scale - b.scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The exact sum. */
export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return { units: a.units * 10n ** BigInt(scale - a.scale) + b.units * 10n ** BigInt(scale - b.scale), scale }
}

/** What is left of a when b is taken off; zero where b is more. With as many decimal places as the longer one has. */
export function subtractDecimals(a: Decimal, b: Decimal): string {
  const { units, scale } = addDecimals(a, { ...b, units: -b.units })
  const digits = String(units < 0n ? 0n : units).padStart(scale + 1, '0')
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
