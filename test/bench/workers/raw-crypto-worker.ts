import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { serveWork, told } from '../harness/serve-work.ts'

const { verifies, signs } = told<{ readonly verifies: number; readonly signs: number }>()
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signing = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
const verifying = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
const signed = Buffer.from('x'.repeat(600))
const signature = sign('sha256', signed, signing)
let pieces = 0

/** The cryptography alone, with prepared keys. */
serveWork({
  raw: {
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
  },
})
