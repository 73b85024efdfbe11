const P = 2n ** 255n - 19n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/**
 * Ordinates of the eight points whose order divides 8 (RFC 8032 §5.1 names the curve). Under such a key, signatures can be
 * found that verify for many messages: it proves possession of nothing.
 */
const LOW_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  P - 2707385501144840649318225287225658788936804267575313519463743609750303402022n,
])

/** Whether 32 bytes encode a point of low order, in any spelling. Cheap: no arithmetic on the curve. */
export function isLowOrderEd25519(encoded: Uint8Array): boolean {
  return LOW_ORDER_Y.has(ordinate(encoded) % P)
}

/** Whether 32 bytes are the one encoding of a point on the curve that is not of low order (RFC 8032 §5.1.3). */
export function isEd25519Point(encoded: Uint8Array): boolean {
  const y = ordinate(encoded)
  if (y >= P || LOW_ORDER_Y.has(y)) return false
  // x² = (y² − 1) / (d·y² + 1) must be a square. u/v is one exactly when u·v is (Euler), which spares the inversion.
  const ySquared = (y * y) % P
  const u = ySquared - 1n
  const v = (D * ySquared + 1n) % P
  return power((((u * v) % P) + P) % P, (P - 1n) / 2n) === 1n
}

/** The ordinate: little-endian, the top bit being the sign of the abscissa. */
function ordinate(encoded: Uint8Array): bigint {
  if (encoded.length !== 32) throw new RangeError('an Ed25519 key has 32 bytes')
  const bigEndian = Uint8Array.from(encoded).reverse()
  bigEndian[0] = (bigEndian[0] ?? 0) & 0x7f
  return BigInt(`0x${Buffer.from(bigEndian).toString('hex')}`)
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square, rest] = [1n, base, exponent]
  while (rest > 0n) {
    if (rest & 1n) result = (result * square) % P
    square = (square * square) % P
    rest >>= 1n
  }
  return result
}
