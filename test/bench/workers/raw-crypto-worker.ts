import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { serveWork, type Work } from '../harness/serve-work.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signing = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
const verifying = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
const signed = Buffer.from('x'.repeat(600))
const signature = sign('sha256', signed, signing)

/** The cryptography alone, with prepared keys. */
function raw(verifies: number, signs: number): Work {
  let pieces = 0
  return {
    prepare: (count) => {
      pieces = count
    },
    run: () => {
      for (let n = 0; n < pieces; n++) {
        for (let i = 0; i < verifies; i++) {
          if (!verify('sha256', signed, verifying, signature)) throw new Error('a signature did not verify')
        }
        for (let i = 0; i < signs; i++) sign('sha256', signed, signing)
      }
    },
  }
}

serveWork({ '1v1s': raw(1, 1), '2v1s': raw(2, 1) })
