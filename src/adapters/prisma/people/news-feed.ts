import type { Follower, NewsFeed, PrincipalNews } from '../../../me-ports.ts'
import type { Query } from '../open-database.ts'
import { openApprovals, openConsents } from './waiting.ts'

/** How often the database is asked while a page is open. */
const POLL_MILLISECONDS = 1_000
/** How often a page is told something, or a proxy would take the connection for dead. */
const ALIVE_MILLISECONDS = 15_000
/** In this process. */
const MAX_FOLLOWERS = 1_000
const MAX_OF_PRINCIPAL = 16
/** A browser has six connections to one server; pages that only wait must not take them all. */
const MAX_OF_LOGIN = 4

export interface NewsFeedParts {
  readonly query: Query
  /** A login that was not used for so long is good no more; an open page alone is no use of it. */
  readonly idleSeconds: number
  readonly onFault: (error: unknown) => void
}

type Take = Parameters<NewsFeed['follow']>[1]

interface OpenPage extends Follower {
  readonly take: Take
  told: string
  toldAt: number
}

interface NewsRow {
  readonly login: string
  readonly waiting: bigint | number
  readonly approvals: string
  readonly account: string | null
}

/**
 * Tells open pages of principals what is new: one question to the database for all of them, asked only while there are any. A
 * process on the same database is as good as another.
 */
export function newsFeed({
  query,
  idleSeconds,
  onFault,
}: NewsFeedParts): NewsFeed & { readonly stop: () => Promise<void> } {
  const pages = new Set<OpenPage>()
  let running: Promise<void> | undefined
  let isStopped = false

  const drop = (page: OpenPage, reason: 'ended' | 'stopped') => {
    if (pages.delete(page)) page.take.end(reason)
  }
  const tell = (page: OpenPage, row: NewsRow, now: number) => {
    const news: PrincipalNews = {
      waiting: Number(row.waiting),
      approvals: row.approvals,
      account: row.account ?? '',
    }
    const text = JSON.stringify(news)
    const isDue = text !== page.told
    if (!isDue && now - page.toldAt < ALIVE_MILLISECONDS) return
    page.told = text
    page.toldAt = now
    const isTaken = isDue ? page.take.send(news) : page.take.alive()
    if (!isTaken) drop(page, 'stopped')
  }
  const poll = async () => {
    const asked = [...pages]
    const logins = [...new Set(asked.map(({ loginId }) => loginId))]
    const rows = await query<NewsRow>(NEWS, [logins, idleSeconds], 'read_news')
    const byLogin = new Map(rows.map((row) => [row.login, row]))
    const now = performance.now()
    for (const page of asked) {
      const row = byLogin.get(page.loginId)
      // Ended, past its time, or of a principal who was stopped.
      if (row === undefined) drop(page, 'ended')
      else tell(page, row, now)
    }
  }
  const run = async () => {
    while (!isStopped && pages.size > 0) {
      await poll().catch(onFault)
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS))
    }
    running = undefined
  }

  return {
    follow: ({ loginId, principalId }, take) => {
      const all = [...pages]
      const isFull =
        all.length >= MAX_FOLLOWERS ||
        all.filter((page) => page.principalId === principalId).length >= MAX_OF_PRINCIPAL ||
        all.filter((page) => page.loginId === loginId).length >= MAX_OF_LOGIN
      if (isStopped || isFull) return undefined
      const page: OpenPage = { loginId, principalId, take, told: '', toldAt: 0 }
      pages.add(page)
      running ??= run()
      return () => {
        pages.delete(page)
      }
    },
    stop: async () => {
      isStopped = true
      for (const page of [...pages]) drop(page, 'stopped')
      await running
    },
  }
}

/**
 * For each login that is good now. `approvals` is made of those that the principal is asked about and that are open yet; whatever else there is to
 * tell of him is on record under his name.
 */
const NEWS = `SELECT l.id AS login, w.waiting + c.waiting AS waiting, concat(w.approvals, c.consents) AS approvals,
    (SELECT r.id::text FROM record r WHERE r.principal = p.id ORDER BY r.id DESC LIMIT 1) AS account
  FROM login l JOIN principal p ON p.id = l.principal_id
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT v.is_answered) AS waiting, md5(string_agg(a.id || ':' || v.votes, ' ' ORDER BY a.id)) AS approvals
    FROM (SELECT * FROM ${openApprovals('p.id')}) a CROSS JOIN LATERAL (
      SELECT count(*) AS votes, coalesce(bool_or(o.approver = p.id), false) AS is_answered FROM approval_vote o WHERE o.approval_id = a.id) v) w
  CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, md5(string_agg(m.id_hash::text, ' ' ORDER BY m.id_hash)) AS consents FROM ${openConsents('p.id')}) c
  WHERE l.id = ANY ($1::text[]) AND l.ended_at IS NULL AND l.expires_at > clock_timestamp()
    AND l.last_seen_at > clock_timestamp() - make_interval(secs => $2) AND p.status = 'active'`
