import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/** Runs `work` and counts what it verifies and signs, by the functions that everything here signs and verifies with. */
export async function countingCrypto(work: () => Promise<unknown>) {
  const { verify, createVerify, sign } = crypto
  const counts = { verified: 0, signed: 0 }
  crypto.verify = ((...args: Parameters<typeof verify>) => {
    counts.verified++
    return verify(...args)
  }) as typeof verify
  crypto.createVerify = ((...args: Parameters<typeof createVerify>) => {
    counts.verified++
    return createVerify(...args)
  }) as typeof createVerify
  crypto.sign = ((...args: Parameters<typeof sign>) => {
    counts.signed++
    return sign(...args)
  }) as typeof sign
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(crypto, { verify, createVerify, sign })
    syncBuiltinESMExports()
  }
  return counts
}
