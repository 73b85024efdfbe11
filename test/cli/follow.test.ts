import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CliError, EXIT } from '../../src/cli/cli-error.ts'
import { type Following, follow } from '../../src/cli/commands/follow.ts'
import { adminApi } from '../support/clients.ts'
import { startTestServer } from '../support/server.ts'
import { at, writ } from './terminal.ts'

type Entry = Readonly<{ id: string; at: number }>

/** An account that grows at every poll, and what is printed of it. */
async function followed(batches: readonly (readonly Entry[] | 'away')[], options: Partial<Following> = {}) {
  const stop = new AbortController()
  const account: Entry[] = []
  const printed: string[] = []
  const said: string[] = []
  const waiting = [...batches]
  let isStarted = false
  await follow({
    read: async ({ after }, count) => {
      if (isStarted || count === Number.POSITIVE_INFINITY) {
        const batch = waiting.shift()
        if (batch === undefined) stop.abort()
        if (batch === 'away') throw new CliError(EXIT.unreachable, 'away')
        account.push(...(batch ?? []))
      } else {
        const first = waiting.shift()
        if (first !== 'away') account.push(...(first ?? []))
      }
      isStarted = true
      const later = account.filter((entry) => after === undefined || entry.at > Number(after))
      return { items: later.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, count) }
    },
    print: (item) => printed.push(String(item.id)),
    complain: (line) => said.push(line),
    lines: 10,
    everyMilliseconds: 1,
    stopped: stop.signal,
    ...options,
  })
  return { printed, said, account }
}

const entry = (seconds: number, id = `id-${String(seconds).padStart(5, '0')}`): Entry => ({
  id,
  at: Date.UTC(2027, 0, 1) / 1_000 + seconds,
})

test('begins with the last entries, oldest first, and goes on with each new one', async () => {
  const { printed } = await followed([[entry(1), entry(2), entry(3)], [], [entry(4)], [entry(5), entry(6)]], {
    lines: 2,
  })
  expect(printed).toEqual(['id-00002', 'id-00003', 'id-00004', 'id-00005', 'id-00006'])
})

test('with no lines to begin with, prints only what is new', async () => {
  expect((await followed([[entry(1)], [], [entry(2)]], { lines: 0 })).printed).toEqual(['id-00002'])
})

test('an entry that appears behind a later one is not lost, and none comes twice', async () => {
  const { printed } = await followed([[entry(100)], [], [entry(95, 'late')], [entry(101)], [entry(92, 'later')]])
  expect(printed).toEqual(['id-00100', 'late', 'id-00101', 'later'])
})

test('an account that is empty at first is followed from its first entry', async () => {
  expect((await followed([[], [entry(1)], [entry(2)]])).printed).toEqual(['id-00001', 'id-00002'])
})

test('goes on where it was when the server was away, and says so once', async () => {
  const { printed, said } = await followed([[entry(1)], [], 'away', 'away', [entry(2)], [entry(3)]])
  expect(printed).toEqual(['id-00001', 'id-00002', 'id-00003'])
  expect(said).toEqual(['away; going on as soon as it answers', 'the server is back'])
})

test('whatever comes in whatever order within the overlap, each is printed once', async () => {
  const batch = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 6 }), async (batches) => {
      let n = 0
      const entries = batches.map((times) => times.map((time) => entry(time, `n-${n++}`)))
      const { printed, account } = await followed([[entry(0, 'first')], [], ...entries])
      expect([...printed].sort()).toEqual(account.map(({ id }) => id).sort())
    }),
    { numRuns: 50 },
  )
})

test('signs in anew when its token is withdrawn on the way', async () => {
  const server = await startTestServer()
  try {
    const stop = new AbortController()
    let text = ''
    let begun: () => void = () => undefined
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    expect((await writ(['principals', 'create', 'before'], { env: at(server) })).code).toBe(0)
    const tail = writ(['records', 'tail', '--every', '1', '--decision', 'done', '--lines', '1'], {
      env: at(server),
      stopped: stop.signal,
      onOut: (more) => {
        text += more
        begun()
        if (text.includes('after-rotation')) stop.abort()
      },
    })
    await hasBegun
    expect((await writ(['keys', 'rotate', '--compromised', '--yes'], { env: at(server) })).code).toBe(0)
    expect((await writ(['principals', 'create', 'after-rotation'], { env: at(server) })).code).toBe(0)
    expect((await tail).code).toBe(0)
    expect(text).toContain('principal.register after-rotation')
  } finally {
    await server.close()
  }
})

test('follows a real server until it is stopped', async () => {
  const server = await startTestServer()
  try {
    const api = await adminApi(server.issuer, server.admin)
    const stop = new AbortController()
    let text = ''
    const tail = writ(['records', 'tail', '--every', '1', '--decision', 'done', '--json', '--after', '2020-01-01'], {
      env: at(server),
      stopped: stop.signal,
      onOut: (more) => {
        text += more
        if (text.includes('"p-9"')) stop.abort()
      },
    })
    for (let n = 0; n < 10; n++) await api.call('POST', '/admin/principals', { id: `p-${n}` })
    expect((await tail).code).toBe(0)
    const targets = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).because.target)
    expect(targets).toEqual(Array.from({ length: 10 }, (_, n) => `p-${n}`))
  } finally {
    await server.close()
  }
})
