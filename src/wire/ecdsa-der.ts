const COORDINATE_BYTES = 32
const SEQUENCE = 0x30
const INTEGER = 0x02
const MAX_DER_BYTES = 2 * COORDINATE_BYTES + 8

/** Written anew for each signature: whoever verifies has read it before the next one is written. */
const scratch = new Uint8Array(MAX_DER_BYTES)
const prefixes = Array.from({ length: MAX_DER_BYTES + 1 }, (_, bytes) => scratch.subarray(0, bytes))

/**
 * An ES256 signature as OpenSSL takes it: r and s side by side (RFC 7518 §3.4) become two DER integers.
 *
 * @returns undefined when it is not 64 bytes; otherwise bytes that are good until the next call.
 */
export function derSignature(signature: Uint8Array): Uint8Array | undefined {
  if (signature.length !== 2 * COORDINATE_BYTES) return undefined
  const middle = writeInteger(signature, 0, 2)
  const end = writeInteger(signature, COORDINATE_BYTES, middle)
  scratch[0] = SEQUENCE
  scratch[1] = end - 2
  return prefixes[end]
}

/** Writes 32 bytes as one positive integer in its shortest form. @returns where it ends. */
function writeInteger(from: Uint8Array, start: number, at: number): number {
  let first = start
  while (first < start + COORDINATE_BYTES - 1 && from[first] === 0) first++
  const isNegative = (from[first] as number) >= 0x80
  const length = start + COORDINATE_BYTES - first + (isNegative ? 1 : 0)
  scratch[at] = INTEGER
  scratch[at + 1] = length
  let next = at + 2
  if (isNegative) scratch[next++] = 0
  for (let i = first; i < start + COORDINATE_BYTES; i++) scratch[next++] = from[i] as number
  return next
}
