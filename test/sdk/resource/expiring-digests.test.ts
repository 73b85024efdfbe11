import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createExpiringDigests, type Digest, LAST_SECOND } from '../../../src/sdk/resource/expiring-digests.ts'

describe('createExpiringDigests', () => {
  // Made by hand so that they crowd into few shards and begin their search at few places, the last one among them.
  const digest: fc.Arbitrary<Digest> = fc.record({
    shard: fc.nat(1),
    words: fc.tuple(fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1), fc.nat(1), fc.nat(3)),
  })
  const step = fc.record({ digest, life: fc.nat(30), passed: fc.nat(3), sweeps: fc.nat(40) })

  test('finds exactly what is live, through growth, reuse and sweeps', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const digests = createExpiringDigests()
        const live = new Map<string, { digest: Digest; until: number }>()
        let now = 1_000
        for (const { digest, life, passed, sweeps } of steps) {
          now += passed
          for (const [name, { until }] of live) if (until < now) live.delete(name)
          for (let i = 0; passed > 0 && i < sweeps; i++) digests.sweep(now)
          const name = JSON.stringify(digest)
          expect(digests.has(digest, now)).toBe(live.has(name))
          if (!live.has(name)) {
            digests.add(digest, now + life, now)
            live.set(name, { digest, until: now + life })
          }
          for (const one of live.values()) expect(digests.has(one.digest, now)).toBe(true)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('the last second there is', () => {
    const digests = createExpiringDigests()
    const forever = digests.digest('a')
    digests.add(forever, LAST_SECOND, 1)
    expect([digests.has(forever, LAST_SECOND), digests.has(digests.digest('b'), 1)]).toEqual([true, false])
  })

  test('each has a key of its own: nobody can choose texts that meet', () => {
    expect(createExpiringDigests().digest('a')).not.toEqual(createExpiringDigests().digest('a'))
  })
})
