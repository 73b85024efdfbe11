import { expect, test } from 'vitest'
import { signedHere } from '../../src/adapters/keys/signed-here.ts'

test('only the very token is known: not its claims under another signature, nor its signature under other claims', () => {
  const { remember, has } = signedHere()
  remember('head.claims.signature')
  remember('head.others.another')
  expect(has('head.claims.signature')).toBe(true)
  for (const other of [
    ...['head.claims.another', 'head.others.signature', 'daeh.claims.signature', 'signature', '.signature', ''],
    // The same low bytes: characters are compared, not what is left of them in Latin-1.
    ...['head.cla\u0169ms.signature', 'head.claims.signature\n', 'head.claims.Signature', 'head.claim.signature'],
  ]) {
    expect(has(other), other).toBe(false)
  }
})

test('the last ones are known, as many as are remembered, and no more characters than that', () => {
  const few = signedHere(2)
  for (const token of ['a.1', 'b.2', 'c.3']) few.remember(token)
  expect(['a.1', 'b.2', 'c.3'].map(few.has)).toEqual([false, true, true])

  const short = signedHere(100, 10)
  for (const token of ['aaaa.1', 'bbb.2', 'too-long-for-it.3']) short.remember(token)
  expect(['aaaa.1', 'bbb.2', 'too-long-for-it.3'].map(short.has)).toEqual([false, true, false])
})
