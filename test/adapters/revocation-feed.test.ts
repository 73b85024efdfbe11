import { afterEach, expect, test, vi } from 'vitest'
import { MAX_EVENTS, type StoredEvent } from '../../src/adapters/revocations/revocation-events.ts'
import { revocationFeed } from '../../src/adapters/revocations/revocation-feed.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

test('more was stopped than is read at once -> nobody is told that all was told before it was', async () => {
  // Time flies: at every look somebody is due to be told that all is well.
  let time = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (time += 10_000))
  const stored: StoredEvent[] = []
  const stop = (id: number): StoredEvent => ({
    ...{ id: BigInt(id), kind: 'delegation', subject: `d-${id}`, isLifted: false, at: new Date(), audience: undefined },
  })
  const feed = revocationFeed({
    issuer: 'https://as.example',
    events: {
      head: async () => ({ id: 0n, epoch: 0 }),
      after: async (id) => stored.filter((event) => event.id > id).slice(0, MAX_EVENTS),
      inForce: async () => [],
      isKept: async () => true,
    },
    signer: { signSecurityEvent: async (claims) => claims },
    ids: { random: () => 'id', ordered: () => 'id' } as never,
    now: () => new Date(),
    onFault: (error) => {
      throw error
    },
  })
  const told: string[] = []
  const follower = {
    send: ({ set }: { set: string }) => {
      const [type = ''] = Object.keys((JSON.parse(set) as { events: object }).events)
      told.push(type.split(/[:/]/).at(-1) ?? '')
      return true
    },
    end: () => undefined,
  }
  const who = { client: { id: 'mail' } as never, jkt: 'jkt', audience: 'https://mail.example', lastEventId: undefined }
  feed.follow(who, follower)
  await expect.poll(() => told.includes('verification')).toBe(true)
  const total = 2 * MAX_EVENTS + 500
  stored.push(...Array.from({ length: total }, (_, i) => stop(i + 1)))
  const count = () => told.filter((type) => type === 'delegation-revoked').length
  await expect.poll(count, { timeout: 5_000 }).toBe(total)
  const [first, last] = [told.indexOf('delegation-revoked'), told.lastIndexOf('delegation-revoked')]
  expect(told.slice(first, last)).not.toContain('verification')
  await expect.poll(() => told.at(-1)).toBe('verification')
  await feed.stop()
})
