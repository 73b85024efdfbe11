import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'
import { at, type Surroundings, writ } from './terminal.ts'

let server: TestServer
let folder: string
let world: World
beforeAll(async () => {
  server = await startTestServer()
  folder = await mkdtemp(join(tmpdir(), 'writ-cli-'))
  world = await createWorld(server, { bounds: [ANY_PAYMENT], action: PAYMENT })
})
afterAll(async () => {
  await server?.close()
  await rm(folder, { recursive: true, force: true })
})

const AMOUNT = 'instructedAmount.amount'
const CURRENCY = 'instructedAmount.currency'
const PAYMENT = {
  type: 'payment_initiation',
  instructedAmount: { currency: 'EUR', amount: '2.50' },
  creditorName: 'Merchant',
  creditorAccount: { iban: 'DE02100100109307118603' },
}
const ANY_PAYMENT = {
  type: 'payment_initiation',
  instructedAmount: { currency: { $in: ['EUR', 'USD'] }, amount: { $any: true } },
  creditorName: { $any: true },
  creditorAccount: { iban: { $any: true } },
}

const run = (args: readonly string[], surroundings: Surroundings = {}) =>
  writ(args, { ...surroundings, env: { ...at(server), ...surroundings.env } })
async function done(args: readonly string[], surroundings?: Surroundings): Promise<string> {
  const { code, out, err } = await run(args, surroundings)
  expect({ code, err }, args.join(' ')).toEqual({ code: 0, err: '' })
  return out
}
const json = async (args: readonly string[], surroundings?: Surroundings) =>
  JSON.parse(await done([...args, '--json'], surroundings))
const file = async (name: string, content: unknown) => {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(content))
  return path
}
const create = (...more: string[]) => [
  ...['delegations', 'create', '--for', world.principal, '--agent', world.agent.id],
  ...['--resource', world.identifier, '--bounds', '-', ...more],
]
const stdin = JSON.stringify(ANY_PAYMENT)

const FLAGS = [
  ...['--max-uses', '100', '--rate', '10/60s', '--rate', '50/1d'],
  ...['--sum', `${AMOUNT}<=10.00 per ${CURRENCY} in 30d`],
]
const LIMITS = {
  max_uses: 100,
  rates: [
    { seconds: 60, max_uses: 10 },
    { seconds: 86_400, max_uses: 50 },
  ],
  sums: [{ member: AMOUNT, per: CURRENCY, max: '10.00', seconds: 2_592_000 }],
}
const RULES = [
  `   at most 100 uses altogether`,
  `   at most 10 uses in any minute`,
  `   at most 50 uses in any day`,
  `   ${AMOUNT} adds up to at most 10.00 for each ${CURRENCY} in any 30 days`,
]

describe('delegations', () => {
  test('are granted with limits, which are explained with what is left of them', async () => {
    const created = await done(create(...FLAGS, '--delegable', `2:${world.agent.id}`), {
      stdin,
    })
    for (const rule of RULES) expect(created).toContain(rule)
    expect(created).toMatch(/at most 100 uses altogether +100 left$/m)
    expect(created).toMatch(/in any minute +10 left now$/m)
    expect(created).toMatch(/in any 30 days +10\.00 of each left$/m)
    expect(created).toContain(`It may be given on to ${world.agent.id}, 2 deep.`)
    expect(created).not.toContain('Also:')
    const id = /Granted delegation (\S+)\./.exec(created)?.[1] ?? ''
    const shown = await json(['delegations', 'show', id])
    expect(shown.limits).toMatchObject(LIMITS)
    expect(shown.delegable).toEqual({ max_depth: 2, agents: [world.agent.id] })

    for (const currency of ['EUR', 'EUR', 'USD']) {
      const action = { ...PAYMENT, instructedAmount: { currency, amount: '2.50' } }
      expect((await world.exchange({}, { subjectToken: shown.subject_token, action })).status).toBe(200)
    }
    const explained = await done(['delegations', 'explain', id])
    expect(explained).toMatch(/altogether +97 left$/m)
    expect(explained).toMatch(/in any minute +7 left now$/m)
    expect(explained).toMatch(/in any 30 days +5\.00 EUR, 7\.50 USD left, of any other all of it$/m)
    expect(await done(['delegations', 'list'])).toMatch(
      new RegExp(`^${id} .* payment_initiation +97, 7/1m, 47/1d, 5\\.00 EUR/30d, 7\\.50 USD/30d +active`, 'm'),
    )
    const fields = await done(['delegations', 'show', id])
    expect(fields).toContain('at most 100 uses altogether: 97 left')
    expect(fields).toContain(`for each ${CURRENCY} in any 30 days: 5.00 EUR, 7.50 USD left`)
  })

  test('take the same limits as JSON, and without any say nothing of them', async () => {
    const written = await file('limits.json', LIMITS)
    expect((await json(create('--limits', written), { stdin })).limits).toMatchObject(LIMITS)
    const bare = await done(create(), { stdin })
    expect(bare).not.toContain('Of all its actions together')
    expect(bare).toContain('It may not be given on to another agent.')
    expect(await done(create('--delegable', '1'), { stdin })).toContain(
      'It may be given on to any active agent, who may not give it on.',
    )
  })

  test.each<[readonly string[], string, string]>([
    [['--max-uses', '0'], 'Expected a whole number from 1 to 1000000000.', ''],
    [['--rate', '10/60'], '--rate: a window is a number and s, m, h or d', '10/60\n            ^'],
    [['--rate', 'often'], '--rate: a rate is uses/window, such as 10/60s', 'often\n              ^'],
    [['--sum', 'amount<=5 EUR'], '--sum: after the amount comes per MEMBER', 'amount<=5 EUR\n                   ^'],
    [['--sum', 'amount'], '--sum: a sum is member<=amount', 'amount\n         ^'],
    [['--delegable', '9'], '--delegable: the depth is a whole number from 0 to 7', '9\n         ^'],
    [['--delegable', '1:a b'], '--delegable: agents are ids', '1:a b\n           ^'],
    [['--limits', 'FOLDER/list.json'], 'must hold a JSON object', ''],
    [['--limits', 'FOLDER/none.json'], 'cannot be read (ENOENT)', ''],
    [['--limits', 'FOLDER/list.json', '--max-uses', '3'], 'say one of both', ''],
  ])('%j is wrong usage, and says what was expected', async (args, message, pointed) => {
    await file('list.json', [])
    const given = args.map((arg) => arg.replace('FOLDER', folder))
    const { code, out, err } = await run(create(...given), { stdin })
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(message)
    expect(err).toContain(pointed)
    expect(err).toMatch(/mend: /)
  })

  test('what the server refuses of them is named', async () => {
    const refused = async (...more: string[]) => (await run(create(...more), { stdin })).err
    expect(await refused('--sum', `${AMOUNT}<=5`)).toContain('limits.sums[0]: needs "per"')
    expect(await refused('--rate', '1/60s', '--rate', '2/1m')).toContain(
      'limits.rates[1]: limits the same a second time',
    )
    expect(await refused('--delegable', '1:nobody')).toContain('delegable.agents[0]: names no agent')
  })
})

describe.each([
  ['agents', []],
  ['resources', ['--identifier', 'https://limited.example']],
] as const)('%s', (plural, more) => {
  test('have limits: written, shown, changed one by one, replaced by a file, and removed', async () => {
    const id = `limited-${plural}`
    await done([plural, 'create', id, ...more, ...FLAGS])
    const limitsOf = async () => (await json([plural, 'show', id])).limits
    expect(await limitsOf()).toMatchObject(LIMITS)
    expect(await done([plural, 'show', id])).toMatch(/^limits +at most 100 uses altogether: 100 left$/m)
    expect(await done([plural, 'update', id, '--max-uses', '7'])).toContain('Changed limits of')
    expect(await limitsOf()).toMatchObject({ ...LIMITS, max_uses: 7 })
    await done([plural, 'update', id, '--rate', '1/1h', '--name', 'Other'])
    const rates = [{ seconds: 3_600, max_uses: 1 }]
    expect(await limitsOf()).toMatchObject({ ...LIMITS, max_uses: 7, rates })
    await done([plural, 'update', id, '--limits', '-'], { stdin: '{"max_uses": 3}' })
    expect(await limitsOf()).toEqual({ max_uses: 3, remaining: { max_uses: 3 } })
    await done([plural, 'update', id, '--unset', 'limits'])
    expect(await limitsOf()).toBeUndefined()
    const both = await run([plural, 'update', id, '--unset', 'limits', '--max-uses', '1'])
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining('"limits" is to be set and removed at once') })
    const wrong = await run([plural, 'update', id, '--rate', '1'])
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('a rate is uses/window') })
  })
})

test('try says what would be left, and which limit is reached', async () => {
  const own = await createWorld(server, {
    ...{ bounds: [ANY_PAYMENT], action: PAYMENT },
    delegation: { limits: { max_uses: 2, sums: [{ member: AMOUNT, per: CURRENCY, max: '4.00' }] } },
  })
  await done(['agents', 'update', own.agent.id, '--rate', '5/60s'])
  const tried = () => run(['try', '--agent', own.agent.id, '--resource', own.identifier, JSON.stringify(PAYMENT)])
  const permitted = await tried()
  expect(permitted).toMatchObject({ code: 0, err: '' })
  expect(permitted.out).toContain(
    [
      `  left then:  1 use, delegation ${own.delegation.id}`,
      `              1.50 EUR of ${AMOUNT}, delegation ${own.delegation.id}`,
      `              4 uses in any minute, agent ${own.agent.id}`,
      'Nothing was issued or counted.',
    ].join('\n'),
  )
  expect((await own.exchange()).status).toBe(200)
  const forbidden = await tried()
  expect(forbidden).toMatchObject({ code: 1, err: '' })
  expect(forbidden.out).toContain(`forbid: limit reached: the sum of ${AMOUNT} of the delegation\n`)
  expect(forbidden.out).toContain(`  left now:   1.50 EUR of ${AMOUNT}, delegation ${own.delegation.id}\n`)
})
