const COORDINATE_BYTES = 32
const SEQUENCE = 0x30
const INTEGER = 0x02

/**
 * An ES256 signature as OpenSSL takes it: r and s side by side (RFC 7518 §3.4) become two DER integers.
 *
 * @returns undefined when it is not 64 bytes.
 */
export function derSignature(signature: Uint8Array): Uint8Array | undefined {
  if (signature.length !== 2 * COORDINATE_BYTES) return undefined
  const der = new Uint8Array(2 * COORDINATE_BYTES + 8)
  const middle = writeInteger(signature, 0, der, 2)
  const end = writeInteger(signature, COORDINATE_BYTES, der, middle)
  der[0] = SEQUENCE
  der[1] = end - 2
  return der.subarray(0, end)
}

/** Writes 32 bytes as one positive integer in its shortest form. @returns where it ends. */
function writeInteger(from: Uint8Array, start: number, to: Uint8Array, at: number): number {
  let first = start
  while (first < start + COORDINATE_BYTES - 1 && from[first] === 0) first++
  const isNegative = (from[first] as number) >= 0x80
  const length = start + COORDINATE_BYTES - first + (isNegative ? 1 : 0)
  to[at] = INTEGER
  to[at + 1] = length
  let next = at + 2
  if (isNegative) to[next++] = 0
  for (let i = first; i < start + COORDINATE_BYTES; i++) to[next++] = from[i] as number
  return next
}
