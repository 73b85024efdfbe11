import type { KeyEncryption } from '../keys/key-encryption.ts'
import { type GuardedFetch, GuardedFetchError } from '../net/guarded-fetch.ts'
import type { Query } from '../prisma/open-database.ts'
import { type Message, openPing } from './ping.ts'
import { type AnnouncedApproval, type Webhook, webhookMessage } from './webhook.ts'

export interface DeliveryParts {
  readonly query: Query
  readonly fetch: GuardedFetch
  readonly encryption: Pick<KeyEncryption, 'open'>
  readonly issuer: string
  /** Absent: nobody is told of new approvals. */
  readonly webhook: Webhook | undefined
  readonly onFault: (error: unknown) => void
  /** How often it is looked for something to send. Unit: milliseconds. */
  readonly pollMilliseconds?: number
  /** Before a second try; then twice as long each time. Longer than a request may take. Unit: seconds. */
  readonly firstWaitSeconds?: number
}

/** Pings, and webhooks, that one process sends at a time: what agents' endpoints do holds up no webhook. */
const MAX_AT_ONCE = 8
/** To one agent's endpoint: a slow one holds up only itself. */
const MAX_AT_ONE_ENDPOINT = 2
/** Unit: seconds. */
const MAX_WAIT_SECONDS = 300

/** One that waits. What a webhook says is read with it, for its approval may be long over. */
interface Due {
  readonly id: string
  readonly kind: 'ping' | 'webhook'
  readonly url: string | null
  readonly sealed: Uint8Array | null
  readonly approval: string
  readonly principal: string
  readonly agent: string
  readonly approvers: readonly string[]
  readonly action_type: string
  readonly resource: string
  readonly created_at: Date
  readonly expires_at: Date
}

/**
 * Takes what is due, for one try: nobody else takes it before the next one is due. So a process that ends in the middle of
 * sending loses nothing, and what it sent is sent again at worst. An approval of before a restore is void: nobody is told of it.
 */
const TAKE = `
  WITH waiting AS (
    SELECT n.id, row_number() OVER (PARTITION BY n.url ORDER BY n.next_try_at) AS place
    FROM notification n JOIN approval a ON a.id = n.approval_id
    WHERE n.delivered_at IS NULL AND n.next_try_at <= now() AND n.expires_at > now() AND n.kind = $1
      AND (n.url IS NULL OR n.url <> ALL ($5::text[]))
      AND NOT EXISTS (SELECT 1 FROM generation g WHERE a.created_at <= g.restored_at)),
  due AS (
    SELECT n.id FROM notification n JOIN waiting w ON w.id = n.id
    WHERE (n.kind <> 'ping' OR w.place <= ${MAX_AT_ONE_ENDPOINT}) AND n.delivered_at IS NULL AND n.next_try_at <= now()
    ORDER BY w.place, n.next_try_at LIMIT $2::int FOR UPDATE OF n SKIP LOCKED),
  taken AS (
    UPDATE notification n SET attempts = n.attempts + 1, next_try_at = now() + make_interval(
      secs => least($3::float8 * 2 ^ least(n.attempts, 20), $4::float8) * (1 + random() / 4))
    FROM due WHERE n.id = due.id RETURNING n.id, n.kind, n.url, n.sealed, n.approval_id)
  SELECT t.id, t.kind, t.url, t.sealed, a.id AS approval, a.principal_id AS principal, a.agent_id AS agent, a.approvers,
    a.action_type, a.resource, a.created_at, a.expires_at
  FROM taken t JOIN approval a ON a.id = t.approval_id`

/** The token is of no more use, so it is forgotten; one that took its place meanwhile is sent next. */
const DELIVERED = `UPDATE notification SET delivered_at = now(), sealed = NULL, failure = NULL
  WHERE id = $1 AND sealed IS NOT DISTINCT FROM $2::bytea`
/** A URL that is not asked will not be asked the next time. */
const FAILED = `UPDATE notification SET failure = $2, expires_at = CASE WHEN $3::boolean THEN now() ELSE expires_at END
  WHERE id = $1`

/**
 * Sends notifications, one loop in each process, beside everything else: nobody's answer waits for it.
 *
 * Each is tried until it is delivered or its approval has expired.
 */
export function startDelivering(parts: DeliveryParts): { readonly stop: () => Promise<void> } {
  const { query, webhook, onFault, pollMilliseconds = 1_000, firstWaitSeconds = 15 } = parts
  const kinds = webhook === undefined ? (['ping'] as const) : (['ping', 'webhook'] as const)
  const underWay = { ping: new Map<Promise<void>, string | null>(), webhook: new Map<Promise<void>, string | null>() }
  const controller = new AbortController()
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout

  const look = async (kind: Due['kind']) => {
    const sendings = underWay[kind]
    const free = MAX_AT_ONCE - sendings.size
    if (free <= 0) return
    const busy = [...new Set(sendings.values())].filter((url) => url !== null)
    const taken = [kind, free, firstWaitSeconds, MAX_WAIT_SECONDS, busy]
    for (const due of await query<Due>(TAKE, taken, 'take_notifications')) {
      const sending: Promise<void> = deliver(parts, due, controller.signal)
        .catch((error: unknown) => {
          if (!controller.signal.aborted) onFault(error)
        })
        .finally(() => sendings.delete(sending))
      sendings.set(sending, due.url)
    }
  }
  const tick = async () => {
    looking = Promise.all(kinds.map((kind) => look(kind).catch(onFault))).then(() => {})
    await looking
    if (!controller.signal.aborted) timer = setTimeout(tick, pollMilliseconds).unref()
  }
  timer = setTimeout(tick, pollMilliseconds).unref()
  return {
    stop: async () => {
      controller.abort(new Error('the server stops'))
      clearTimeout(timer)
      await looking
      await Promise.all([...underWay.ping.keys(), ...underWay.webhook.keys()])
    },
  }
}

async function deliver(parts: DeliveryParts, due: Due, signal: AbortSignal): Promise<void> {
  const { query, fetch } = parts
  try {
    const { url, message } = messageOf(parts, due)
    const { status } = await fetch(url, { method: 'POST', ...message, signal })
    // Whatever it answers but "received" is tried again. It may send nobody elsewhere (CIBA Core §10.2).
    if (status >= 200 && status < 300) await query(DELIVERED, [due.id, due.sealed])
    else await query(FAILED, [due.id, `answered ${status}`, false])
  } catch (error) {
    if (!(error instanceof GuardedFetchError)) throw error
    await query(FAILED, [due.id, error.message, error.kind === 'refused'])
  }
}

function messageOf(
  { encryption, issuer, webhook }: DeliveryParts,
  due: Due,
): { readonly url: string; readonly message: Message } {
  if (due.kind === 'ping') {
    if (due.url === null || due.sealed === null) throw new Error('a ping without its endpoint or its token')
    return { url: due.url, message: openPing(encryption, due.sealed) }
  }
  if (webhook === undefined) throw new Error('a webhook was taken where none is configured')
  const approval: AnnouncedApproval = {
    ...{ id: due.approval, principal: due.principal, agent: due.agent, approvers: due.approvers },
    ...{ actionType: due.action_type, resource: due.resource, createdAt: due.created_at, expiresAt: due.expires_at },
  }
  return { url: webhook.url, message: webhookMessage(issuer, webhook, due.id, approval, new Date()) }
}
