import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { at, writ } from './terminal.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())

const run = (args: readonly string[], stdin = '') => writ(args, { env: at(server), stdin })

/** A public key whose thumbprint begins with "-", as that of one in 64 does. */
async function dashedKey() {
  for (;;) {
    const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
    const kid = await calculateJwkThumbprint(jwk)
    if (kid.startsWith('-')) return { jwk, kid }
  }
}

test.each([['agents'], ['clients']])(
  'a key of %s whose name begins with "-" is retired like any other',
  async (group) => {
    const { jwk, kid } = await dashedKey()
    const scope = group === 'clients' ? ['--scope', 'admin:read'] : []
    const created = await run([group, 'create', `dashed-${group}`, ...scope, '--key', '-'], JSON.stringify(jwk))
    expect(created).toMatchObject({ code: 0, err: '' })
    const retired = await run([group, 'keys', 'retire', `dashed-${group}`, kid, '--yes'])
    expect(retired).toMatchObject({ code: 0, err: '' })
    expect(retired.out).toContain(`Retired key ${kid}`)
  },
)

const JTI = '-hVz9rL3kly2HvdlFjRyZg'

test.each<[readonly string[], string]>([
  // Not "-h", which asks for help; and what follows are options still.
  [['tokens', 'revoke', JTI, '--reason', 'sent by mistake'], `/admin/tokens/${JTI}/revoke`],
  [['--json', 'tokens', 'revoke', `-V${JTI.slice(2)}`], `/admin/tokens/-V${JTI.slice(2)}/revoke`],
  [['tokens', 'revoke', `--${JTI.slice(2)}`], `/admin/tokens/--${JTI.slice(2)}/revoke`],
  [['tokens', 'revoke', '--', JTI], `/admin/tokens/${JTI}/revoke`],
  [['delegations', 'show', JTI], `/admin/delegations/${JTI}`],
])('%j asks about the thing of that name', async (args, path) => {
  const { code, out, err } = await run(args)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toContain(path)
})

test.each([[JTI], [`-V${JTI.slice(2)}`], [`-y${JTI.slice(2)}`]])(
  'the value of an option stays with it: %s',
  async (id) => {
    const { code, out } = await run(['records', 'list', '--delegation', id, '--json'])
    expect({ code, items: JSON.parse(out).items }).toEqual({ code: 0, items: [] })
    const { err } = await run(['tokens', 'revoke', 'none', '--reason', id])
    expect(err).toContain('/admin/tokens/none/revoke')
  },
)

test.each<[readonly string[], string]>([
  [['tokens', 'revoke', 'x', '--no-such-option-of-22c'], 'unknown option'],
  [['tokens', 'revoke', 'x', '-thumbprint-in-no-case'], 'unknown option'],
  [['tokens', 'revoke', 'x', '-Short1'], 'unknown option'],
  [['tokens', 'revoke', JTI, '--reason'], "option '--reason <text>' argument missing"],
  // No word of a command is taken for "-V", with which many programs say their version: nothing done is no success.
  [['tokens', 'revoke', '-V12345678901234567890', '--reason', 'two', 'words'], 'unknown option'],
  [['tokens', 'revoke', '-V12345678901234567890', '--reason'], "option '--reason <text>' argument missing"],
  [['tokens', 'revoke', '-V1234567890123456789'], 'unknown option'],
  [['agents', 'suspend', '-Vfoo'], 'unknown option'],
  [['records', 'tail', '-n', '-V'], 'Expected a whole number'],
  [['-V'], 'unknown option'],
  // Never in another order than it was written: which is the agent, which the key?
  [['agents', 'keys', 'retire', '-prod-planner-00000001', 'kid', '--yes'], 'unknown option'],
  [['agents', 'keys', 'retire', JTI, `-A${JTI.slice(2)}`, '--yes'], 'unknown option'],
])('%j is used wrongly', async (args, message) => {
  const { code, out, err } = await run(args)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain(message)
})
