import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminApi } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'
import { at, type Surroundings, writ } from './terminal.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
  const api = await adminApi(server.issuer, server.admin, 'admin')
  await api.call('POST', '/admin/principals', { id: 'board', kind: 'organization', name: 'The board' })
  await api.call('POST', '/admin/principals', { id: 'desk', kind: 'service', name: 'The desk' })
})
afterAll(() => server.close())

const run = (args: readonly string[], surroundings: Surroundings = {}) =>
  writ(args, { ...surroundings, env: { ...at(server), ...surroundings.env } })
async function done(args: readonly string[], surroundings?: Surroundings): Promise<string> {
  const { code, out, err } = await run(args, surroundings)
  expect({ code, err }, args.join(' ')).toEqual({ code: 0, err: '' })
  return out
}
const json = async (args: readonly string[]) => JSON.parse(await done([...args, '--json']))

async function pending(world: World, form: Record<string, string> = {}): Promise<string> {
  const { body } = await world.exchange({ form })
  expect(body.error, JSON.stringify(body)).toBe('authorization_pending')
  return String(body.approval_uri).split('/').at(-1) ?? ''
}

describe('writ delegations create', () => {
  let world: World
  beforeAll(async () => {
    world = await createWorld(server)
  })
  const create = (...more: readonly string[]) => [
    ...['delegations', 'create', '--for', world.principal, '--agent', world.agent.id, '--resource', world.identifier],
    ...['--allow', 'email_send to=*', ...more],
  ]

  test.each<[string, readonly string[], object]>([
    ['each', ['--approval', 'each'], { mode: 'each' }],
    ['nobody', ['--approval', 'none'], { mode: 'none' }],
    [
      'some of several',
      ['--approval', 'each', '--approvers', 'board,desk', '--threshold', '2'],
      { mode: 'each', approvers: ['board', 'desk'], threshold: 2 },
    ],
    [
      'what is outside',
      ['--approval', 'outside=email_send to=*@company.com', '--approval', 'outside=email_send to=bob@example.com'],
      { mode: 'outside', outside: [{ type: 'email_send' }, { type: 'email_send' }] },
    ],
  ])('asks for %s', async (_, options, rule) => {
    const { id, approval } = await json(create(...options))
    expect(approval).toMatchObject(rule)
    expect((await json(['delegations', 'show', id])).approval).toEqual(approval)
  })

  test('says in a sentence who is asked, and what needs nobody', async () => {
    const options = ['--approval', 'outside=email_send to=*@company.com', '--approvers', 'board,desk']
    const out = await done(create(...options))
    expect(out).toContain('An action needs approval by board or desk, unless it is one of these:')
    expect(out).toMatch(/unless it is one of these:\n\nEmail \(email_send\)\n(.*\n)+?.*to +.*company\.com/)
    expect(out).toContain('--approval outside= does not mention it')
    const { id } = await json(create('--approval', 'each', '--approvers', 'board,desk', '--threshold', '2'))
    expect(await done(['delegations', 'explain', id])).toContain('Each action needs approval by board and desk.')
    const own = await json(create('--approval', 'each'))
    expect(await done(['delegations', 'explain', own.id])).toContain(
      `Each action needs approval by ${world.principal}.`,
    )
  })

  test.each<[readonly string[], string]>([
    [['--approval', 'sometimes'], '--approval is none, each, or outside= and a bound'],
    [['--approval', 'each', '--approval', 'none'], 'only outside= may be repeated'],
    [['--approval', 'each', '--approval', 'outside=email_send to=*'], 'only outside= may be repeated'],
    [['--approval', 'outside=nothing_known to=*'], '--approval outside=: there is no action type "nothing_known"'],
    [['--approval', 'outside=email_send to='], '--approval outside='],
    [['--approvers', 'board'], 'of no use without --approval'],
    [['--threshold', '2'], 'of no use without --approval'],
    [['--approval', 'each', '--approvers', 'A B'], 'principals are ids, separated by commas'],
    [['--approval', 'each', '--threshold', '0'], '--threshold'],
  ])('%j is refused before anything is sent', async (options, message) => {
    const { code, err } = await run(create(...options))
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test('is told by the server what it cannot know', async () => {
    const { code, err } = await run(create('--approval', 'each', '--approvers', 'nobody-at-all'))
    expect(code).toBe(1)
    expect(err).toContain('approval.approvers[0]')
  })
})

test('writ try says whose approval it needs', async () => {
  const world = await createWorld(server, {
    delegation: { approval: { mode: 'each', approvers: ['board', 'desk'], threshold: 2 } },
  })
  const action = JSON.stringify(world.action)
  const { code, out } = await run(['try', action, '--agent', world.agent.id, '--resource', world.identifier])
  expect(code).toBe(1)
  expect(out).toMatch(/^require_approval$/m)
  expect(out).toContain('needs:      approval by board and desk')
})

describe('writ approvals', () => {
  const organization = () => createWorld(server, { delegation: { approval: { mode: 'each', approvers: ['board'] } } })

  test('lists what waits', async () => {
    const world = await organization()
    const id = await pending(world)
    const out = await done(['approvals', 'list', '--agent', world.agent.id, '--state', 'pending'])
    expect(out).toMatch(
      new RegExp(`ID +STATE +WHAT +BY +FOR +ASKED +ENDS\n${id} +pending .*bob@example.com.* board +in`),
    )
    expect((await json(['approvals', 'list', '--for', world.principal])).items).toMatchObject([{ id }])
    expect(await done(['approvals', 'list', '--agent', world.agent.id, '--state', 'denied'])).toContain(
      'There are none.',
    )
    expect((await run(['approvals', 'list', '--state', 'maybe'])).code).toBe(2)
  })

  test('shows all of one: the sentence, every member in full, who asks, and the words of the agent apart', async () => {
    const subject = 'Pay\u202Eeve\u200B <b>now</b>'
    const body = 'y'.repeat(5_000)
    const world = await createWorld(server, {
      delegation: { approval: { mode: 'each', approvers: ['board'] } },
      action: { type: 'email_send', to: ['bob@example.com', 'cem@example.com'], subject, body },
    })
    const id = await pending(world, { purpose: 'Just\u001B[2J approve this' })
    const out = await done(['approvals', 'show', id])
    expect(out).toMatch(/^“.*bob@example.com.*”$/m)
    expect(out).toMatch(/^ +to\[0\] +bob@example\.com$/m)
    expect(out).toMatch(/^ +to\[1\] +cem@example\.com$/m)
    expect(out).toContain('Pay⟨U+202E⟩eve⟨U+200B⟩ <b>now</b>')
    expect(out).toMatch(new RegExp(`body +${body}$`, 'm'))
    expect(out).toMatch(/^by +\S+ \(Planner\)$/m)
    expect(out).toMatch(/^asked +board$/m)
    expect(out).toMatch(/^what +.*email_send, write\)$/m)
    expect(out).toMatch(/which may be anything:\n +Just⟨U\+001B⟩\[2J approve this$/m)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not reach a terminal
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u200b-\u200f]/)
    expect((await json(['approvals', 'show', id])).action.subject).toBe(subject)
  })

  test('says of a digest that nobody sees what it is of', async () => {
    const digest = 'A'.repeat(43)
    const world = await createWorld(server, {
      delegation: { approval: { mode: 'each', approvers: ['board'] } },
      action: { type: 'email_send', to: ['bob@example.com'], subject: 'Hi', body: { s256: digest } },
    })
    const out = await done(['approvals', 'show', await pending(world)])
    expect(out).toContain(`content not shown to Writ (SHA-256 ${digest})`)
  })

  test('approves for an organization, after it was seen and confirmed', async () => {
    const id = await pending(await organization())
    const refused = await run(['approvals', 'approve', id])
    expect(refused.code).toBe(2)
    expect(refused.out).toContain('every member of it')
    expect((await json(['approvals', 'show', id])).state).toBe('pending')
    const out = await done(['approvals', 'approve', id, '--yes'])
    expect(out).toContain('Approved for board.')
    expect(out).toContain('It is approved')
    expect(await done(['approvals', 'show', id])).toMatch(/^answer +board: approve, by admin:admin, /m)
  })

  test('denies, and answers for the one that is named', async () => {
    const world = await createWorld(server, {
      delegation: { approval: { mode: 'each', approvers: ['board', 'desk'], threshold: 2 } },
    })
    const id = await pending(world)
    expect((await run(['approvals', 'approve', id, '--yes'])).err).toContain('several are asked')
    expect(await done(['approvals', 'approve', id, '--for', 'desk', '--yes'])).toContain('Others have to say yes too.')
    expect(await json(['approvals', 'deny', id, '--for', 'board', '--yes'])).toEqual({
      ...{ id, approver: 'board', state: 'denied' },
    })
  })

  test('never answers for a person', async () => {
    const id = await pending(await createWorld(server, { delegation: { approval: 'each' } }))
    const { code, err } = await run(['approvals', 'approve', id, '--yes'])
    expect(code).toBe(1)
    expect(err).toContain('does not answer for a person')
    expect((await json(['approvals', 'show', id])).state).toBe('pending')
  })

  test('says so when there is none of this name', async () => {
    expect((await run(['approvals', 'show', 'apr_none'])).code).toBe(1)
    expect((await run(['approvals', 'deny', 'apr_none', '--yes'])).code).toBe(1)
  })
})
