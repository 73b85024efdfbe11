import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { oauthRequest } from '../../support/clients.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { type Bench, CannotRun, type Figure } from '../harness/bench.ts'
import { interleave, type Sample, shareFigure } from '../harness/interleave.ts'
import { median } from '../harness/statistics.ts'
import { measure, mintRequests, rawRequest, startMinting } from '../ours/minting.ts'
import { seedRows } from '../ours/seed.ts'
import { openServerKeys } from '../ours/server-keys.ts'
import { startLimit } from '../servers/limit.ts'
import { startPeer } from '../servers/peer.ts'

const REQUESTS = 4_000
const ROWS = 1_000_000
/** The peer's memory holds a thousand things: of each token the token, two proofs and one assertion. */
const PEER_REQUESTS = 200
/** So few requests say little of a process: a turn is several times as many. */
const PEER_BATCHES = 5
const SHARE = { goal: 0.6 }

/** Whether a token is good at this moment, asked by its resource server: out of a million that are on record. */
export const INTROSPECT_HTTP: Bench = {
  name: 'introspect.http',
  what: 'introspection of live, expired, revoked and unknown tokens, against 1v0s and against oidc-provider',
  run: async ({ size, progress }) => {
    const ours = await startMinting()
    const stops: (() => Promise<void>)[] = [ours.stop]
    try {
      const { issuer, database, world, process, target, minter } = ours
      if (database === undefined) throw new CannotRun('introspect.http needs PostgreSQL')
      await seedRows(database, { agents: size.count(1_000), records: size.count(ROWS) }, progress)
      const count = size.count(REQUESTS)
      const mintFor = async (of: World): Promise<readonly string[]> => {
        const requests = mintRequests(of, count, { agent: of.agent, subjectToken: of.wish.subjectToken })
        const { bodies } = await measure(process, target, requests)
        return bodies.map((body) => JSON.parse(body).access_token)
      }
      const long = { resource: { token_lifetime_seconds: 300 } }
      const [live, revoked] = [await createWorld(ours, long), await createWorld(ours, long)]
      const brief = await createWorld(ours, { resource: { token_lifetime_seconds: 1 } })
      const tokens = { expired: await mintFor(brief), revoked: await mintFor(revoked) }
      await database.query(
        `INSERT INTO revoked_token (jti, expires_at, revoked_by)
         SELECT jti, token_expires_at, client FROM record WHERE jti = ANY ($1)`,
        [tokens.revoked.map((token) => claimsOf(token).jti)],
      )
      const keys = await openServerKeys(ours)
      const [{ ...likeness }] = [
        claimsOf((await ours.mint(1, { minter })).bodies.map((b) => JSON.parse(b).access_token)[0]),
      ]
      const unknown = await Promise.all(
        Array.from({ length: count }, () =>
          keys.actionToken({ ...likeness, jti: randomUUID(), exp: likeness.exp + 240 }),
        ),
      )
      await sleep(1_500)

      const ask = (of: World, list: readonly string[]) =>
        list.map((token) => rawRequest(oauthRequest(issuer, '/introspect', of.resource, { token }, {}, false)))
      const turn = (of: World, isActive: boolean, list: () => Promise<readonly string[]>) => async () => {
        const measured = await measure(process, target, ask(of, await list()))
        if (measured.bodies.some((body) => JSON.parse(body).active !== isActive)) {
          throw new Error(`a token was ${isActive ? 'not ' : ''}active`)
        }
        return measured
      }
      /** As another process of the issuer would have signed them: this one has to verify. */
      const signedElsewhere = async (list: readonly string[]) =>
        Promise.all(list.map((token) => keys.actionToken(claimsOf(token))))
      // Minted at every turn, so that none of them ends before it is asked for.
      const turns = {
        live: turn(live, true, () => mintFor(live)),
        'live, signed elsewhere': turn(live, true, async () => signedElsewhere(await mintFor(live))),
        expired: turn(brief, false, async () => tokens.expired),
        revoked: turn(revoked, false, async () => tokens.revoked),
        unknown: turn(world, false, async () => unknown),
      }
      const sample = await turns.live()
      const limit = await startLimit({
        verifies: 1,
        signs: 0,
        responseBytes: Buffer.byteLength(sample.bodies[0] ?? ''),
      })
      stops.push(limit.stop)
      const bare = () => measure(limit.process, limit.target, ask(live, tokens.expired))
      const comparison = await interleave(size, bare, turns, progress)
      const figures: Figure[] = (Object.keys(turns) as (keyof typeof turns)[]).map((side) =>
        shareFigure(`introspect.http ${side}`, comparison, side, SHARE),
      )

      const peer = await startPeer()
      stops.push(peer.stop)
      const peerBatch = async () => {
        const n = Math.min(count, PEER_REQUESTS)
        const issued = await measure(
          peer.process,
          peer.target,
          Array.from({ length: n }, () => peer.tokenRequest()),
        )
        const opaque: string[] = issued.bodies.map((body) => JSON.parse(body).access_token)
        const measured = await measure(peer.process, peer.target, opaque.map(peer.introspectionRequest))
        if (measured.bodies.some((body) => JSON.parse(body).active !== true)) throw new Error('a token was not active')
        return measured
      }
      const peerTurn = async (): Promise<Sample> => {
        const batches: Sample[] = []
        for (let n = 0; n < PEER_BATCHES; n++) batches.push(await peerBatch())
        return {
          cpuMicroseconds: median(batches.map(({ cpuMicroseconds }) => cpuMicroseconds)),
          requestsPerSecond: median(batches.map(({ requestsPerSecond }) => requestsPerSecond)),
        }
      }
      const versus = await interleave(size, peerTurn, { live: turns.live }, progress)
      return {
        figures: [...figures, shareFigure('introspect.http live, oidc-provider opaque', versus, 'live', { goal: 2 })],
      }
    } finally {
      for (const stop of stops.reverse()) await stop()
    }
  },
}
