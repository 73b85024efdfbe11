import type { Clock, FeedLine, Ids, RevocationFeed, Signer } from '../../ports.ts'
import { type FeedMessage, securityEventClaims } from '../../wire/security-event.ts'
import { MAX_EVENTS, type RevocationEvents, type StoredEvent } from './revocation-events.ts'

/** How often the database is asked while somebody follows. */
const POLL_MILLISECONDS = 50
/** How often a follower is told that everything has been told. */
const ALIVE_MILLISECONDS = 2_000
const MAX_FOLLOWERS = 1_000
/** The id in a snapshot: after it nobody can go on, so who is cut off in the middle is told all of it again. */
const IN_SNAPSHOT = 0n
/** Of one resource server: each of its processes has one, and one more while it reconnects. */
const MAX_FOLLOWERS_EACH = 32

export interface FeedParts {
  readonly issuer: string
  readonly events: RevocationEvents
  readonly signer: Pick<Signer, 'signSecurityEvent'>
  readonly ids: Ids
  readonly now: Clock
  readonly onFault: (error: unknown) => void
}

interface Follower {
  readonly clientId: string
  readonly jkt: string
  readonly audience: string
  readonly lastEventId: string | undefined
  readonly send: (line: FeedLine) => boolean
  readonly end: () => void
  aliveAt: number
}

/** One message, signed once for each resource server: by audience. */
type Signed = Map<string, string>

/**
 * Tells followers what was stopped, in the order of commits: one question to the database for all of them, asked only
 * while there are any.
 *
 * Nobody is told that all is well unless the database has just said so: without it followers are told nothing, and notice.
 */
export function revocationFeed({ issuer, events, signer, ids, now, onFault }: FeedParts): RevocationFeed & {
  readonly stop: () => Promise<void>
} {
  const followers = new Set<Follower>()
  const arriving: Follower[] = []
  let position: { id: bigint; epoch: number } | undefined
  let running: Promise<void> | undefined
  let isStopped = false

  const drop = (follower: Follower) => {
    if (followers.delete(follower)) follower.end()
  }
  const tell = async (follower: Follower, message: FeedMessage, id: bigint, signed: Signed = new Map()) => {
    if (position === undefined || !followers.has(follower)) return
    const { audience } = follower
    let set = signed.get(audience)
    if (set === undefined) {
      const facts = { issuer, audience, jti: ids.random(), now: now() }
      set = await signer.signSecurityEvent(securityEventClaims(message, facts))
      signed.set(audience, set)
    }
    // Whoever does not keep up is let go: it comes back and is told anew what it missed.
    if (!follower.send({ id: `${position.epoch}.${id}`, set })) drop(follower)
  }
  const tellEvent = async (follower: Follower, event: StoredEvent, signed?: Signed) => {
    if (event.audience !== undefined && event.audience !== follower.audience) return
    await tell(follower, { kind: 'event', event }, event.id, signed)
    // A resource server that was stopped, or whose key was, follows no longer.
    const isOwn = event.kind === 'account' ? event.subject === follower.clientId : event.subject === follower.jkt
    if (!event.isLifted && (event.kind === 'account' || event.kind === 'key') && isOwn) drop(follower)
  }
  const welcome = async (follower: Follower, at: { id: bigint; epoch: number }) => {
    followers.add(follower)
    const known = await resumable(follower.lastEventId, at)
    if (known === undefined) {
      const all = (await events.inForce(at.id)).filter(
        ({ audience }) => audience === undefined || audience === follower.audience,
      )
      const restoredAt = at.epoch === 0 ? undefined : new Date(at.epoch)
      await tell(follower, { kind: 'snapshot', count: all.length, restoredAt }, IN_SNAPSHOT)
      for (const event of all) await tell(follower, { kind: 'event', event }, IN_SNAPSHOT)
    } else {
      for (let from = known; from < at.id; ) {
        const missed = (await events.after(from)).filter(({ id }) => id <= at.id)
        for (const event of missed) await tellEvent(follower, event)
        from = missed.at(-1)?.id ?? at.id
      }
    }
    await tell(follower, { kind: 'alive' }, at.id)
    follower.aliveAt = performance.now()
  }
  /** The event after which the follower goes on; undefined: it must be told everything. */
  const resumable = async (lastEventId: string | undefined, at: { id: bigint; epoch: number }) => {
    const [, epoch, id] = /^([0-9]{1,15})\.([0-9]{1,18})$/.exec(lastEventId ?? '') ?? []
    if (id === undefined || Number(epoch) !== at.epoch || BigInt(id) > at.id) return undefined
    return BigInt(id) === at.id || (await events.isKept(BigInt(id))) ? BigInt(id) : undefined
  }

  const poll = async () => {
    const known = position ?? (await events.head())
    const news = position === undefined ? [] : await events.after(known.id)
    const last = news.at(-1)?.id ?? known.id
    position = { id: last, epoch: known.epoch }
    try {
      for (const event of news) {
        const signed: Signed = new Map()
        for (const follower of [...followers]) await tellEvent(follower, event, signed)
      }
      // More is waiting to be told: until it was, nobody is told that everything was.
      if (news.length >= MAX_EVENTS) return
      for (let next = arriving.shift(); next !== undefined; next = arriving.shift()) await welcome(next, position)
      const signed: Signed = new Map()
      for (const follower of [...followers]) {
        if (performance.now() - follower.aliveAt < ALIVE_MILLISECONDS) continue
        follower.aliveAt = performance.now()
        await tell(follower, { kind: 'alive' }, last, signed)
      }
    } catch (error) {
      // Somebody may have missed something: all are let go, come back, and are told from where they were.
      for (const follower of [...followers]) drop(follower)
      throw error
    }
  }
  const run = async () => {
    while (!isStopped && followers.size + arriving.length > 0) {
      await poll().catch(onFault)
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS))
    }
    // Whoever comes next is told from where the database then is.
    position = undefined
    running = undefined
  }

  return {
    follow: ({ client, jkt, audience, lastEventId }, { send, end }) => {
      const own = [...followers, ...arriving].filter(({ clientId }) => clientId === client.id).length
      if (isStopped || followers.size + arriving.length >= MAX_FOLLOWERS || own >= MAX_FOLLOWERS_EACH) return undefined
      const follower: Follower = { clientId: client.id, jkt, audience, lastEventId, send, end, aliveAt: 0 }
      arriving.push(follower)
      running ??= run()
      return () => {
        followers.delete(follower)
        const waiting = arriving.indexOf(follower)
        if (waiting >= 0) arriving.splice(waiting, 1)
      }
    },
    stop: async () => {
      isStopped = true
      for (const follower of [...followers, ...arriving.splice(0)]) {
        followers.delete(follower)
        follower.end()
      }
      await running
    },
  }
}
