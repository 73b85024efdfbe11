import type { z } from 'zod'
import type { AdminPorts, ChangeCall } from '../../commands/admin/change-call.ts'
import type { Page, SignSubjectToken } from '../../commands/admin/registered.ts'
import type { Administrator, AdminNeed } from '../../commands/authorize-administrator.ts'
import { isRefusal, type Refusal } from '../../core/refusal.ts'
import type { Cursors } from '../cursor.ts'
import { listPage } from '../list-page.ts'
import { readListQuery } from '../list-query.ts'
import { problemText } from '../problem.ts'
import type { JsonBody } from '../read-json.ts'
import { invalidMembers } from './admin-problem.ts'
import { onceOnly } from './once-only.ts'

/** One call of the admin API, authorized and read, before its route has judged it. */
export interface Exchange {
  readonly ports: AdminPorts
  readonly cursors: Cursors
  readonly signSubjectToken: SignSubjectToken
  readonly administrator: Administrator
  readonly requestId: string
  readonly method: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: string
  readonly body: JsonBody
  readonly ifMatch: readonly string[]
  readonly idempotencyKey: string | undefined
}

export interface Answer {
  readonly status: number
  /** JSON text. */
  readonly body: string
  readonly etag?: string | undefined
  readonly location?: string | undefined
  readonly isRepeated?: boolean
}

/** What a route shows; times as Date, members that are undefined are left out. */
export interface Shown {
  readonly view: object
  readonly etag?: string | undefined
  readonly location?: string | undefined
}

/** What a description of the API says of a route (openapi.ts). */
interface Described {
  /** Below `/admin`; a segment that begins with a colon is a parameter. */
  readonly path: string
  /** Its name in programs made from the description; no two routes share one. */
  readonly operation: string
  readonly summary: string
  /** What a success shows, as JSON; of a list: one item. */
  readonly shows: z.ZodType
  /** Whether what it shows comes with its `ETag`. */
  readonly isVersioned?: boolean | undefined
  /** What it takes to call it. Absent: `read` for GET, `write` for everything else. */
  readonly need?: AdminNeed | undefined
}

/** One row of the API's table; a description of the API is made from the same rows. */
export interface Route extends Described {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** What of the body is understood; absent: it has none. */
  readonly body?: z.ZodType
  /** Of a merge patch: the document that it changes. */
  readonly patches?: z.ZodType | undefined
  /** Filters of a list; paging comes with every list. */
  readonly filters?: z.ZodObject
  readonly status: number
  readonly serve: (exchange: Exchange) => Promise<Answer | Refusal>
}

type Params = Readonly<Record<string, string>>

/** A route that shows one thing. */
export function show<Outcome>(
  route: Described & {
    readonly run: (ports: AdminPorts, params: Params) => Promise<Outcome | Refusal>
    readonly show: (outcome: Outcome, exchange: Exchange) => Shown
  },
): Route {
  const { run } = route
  return {
    ...{ method: 'GET', ...described(route), status: 200 },
    serve: async (exchange) => {
      const outcome = await run(exchange.ports, exchange.params)
      return isRefusal(outcome) ? outcome : answer(200, route.show(outcome, exchange))
    },
  }
}

/** A route that shows a list, page by page. */
export function list<Item, Shape extends z.ZodRawShape>(
  route: Described & {
    readonly filters: z.ZodObject<Shape>
    readonly run: (
      ports: AdminPorts,
      request: { readonly params: Params; readonly filter: z.output<z.ZodObject<Shape>>; readonly page: Page },
    ) => Promise<readonly Item[] | Refusal>
    readonly view: (item: Item, exchange: Exchange) => object
    /** What the list is in order of. */
    readonly position: (item: Item) => string
  },
): Route {
  const { filters, run, view, position } = route
  return {
    ...{ method: 'GET', ...described(route), filters, status: 200 },
    serve: async (exchange) => {
      const query = readListQuery(exchange.query, filters)
      if (isRefusal(query)) return query
      const name = `${exchange.path}?${query.fingerprint}`
      const after = query.cursor === undefined ? undefined : exchange.cursors.read(name, query.cursor)
      if (isRefusal(after)) return after
      // One more than asked for tells whether there is a next page.
      const page = { after, limit: query.limit + 1 }
      const found = await run(exchange.ports, { params: exchange.params, filter: query.filter, page })
      if (isRefusal(found)) return found
      const { text, last } = listPage(found, query.limit, (item) => JSON.stringify(view(item, exchange), numericDates))
      const next =
        last === undefined ? '' : `,"next_cursor":${JSON.stringify(exchange.cursors.issue(name, position(last)))}`
      return { status: 200, body: `{"items":[${text}]${next}}` }
    },
  }
}

/** A route that is asked with a body and changes nothing: the scope that reads is enough. */
export function ask<Body, Outcome>(
  route: Described & {
    readonly body: z.ZodType<Body>
    readonly run: (ports: AdminPorts, body: Body) => Promise<Outcome | Refusal>
    readonly show: (outcome: Outcome) => object
  },
): Route {
  const { body } = route
  return {
    ...{ method: 'POST', ...described(route), status: 200, body, need: 'read' },
    serve: async (exchange) => {
      const parsed = body.safeParse(exchange.body.object)
      if (!parsed.success) return invalidMembers(parsed.error)
      const outcome = await route.run(exchange.ports, parsed.data)
      return isRefusal(outcome) ? outcome : answer(200, { view: route.show(outcome) })
    },
  }
}

/** A route that changes something, in one transaction, and shows what became of it. */
export function change<Body, Outcome>(
  route: Described & {
    readonly method: 'POST' | 'PATCH' | 'DELETE'
    readonly status: 200 | 201
    readonly body: z.ZodType<Body>
    readonly patches?: z.ZodType
    readonly run: (
      ports: AdminPorts,
      call: ChangeCall<Outcome>,
      request: { readonly params: Params; readonly body: Body; readonly exchange: Exchange },
    ) => Promise<Outcome | Refusal>
    readonly show: (outcome: Outcome, exchange: Exchange) => Shown
    /**
     * Where the answer holds a secret: what a repeat with the same `Idempotency-Key` is told instead of it (409). Absent:
     * a repeat gets the answer again.
     */
    readonly repeatRefusal?: (outcome: Outcome) => string
  },
): Route {
  const { method, status, body, patches, repeatRefusal } = route
  return {
    ...{ method, ...described(route), status, body, patches },
    serve: async (exchange) => {
      const parsed = body.safeParse(exchange.body.object)
      if (!parsed.success) return invalidMembers(parsed.error)
      return onceOnly<Outcome>(
        exchange,
        (change) => {
          const { administrator, requestId, params, ports } = exchange
          return route.run(ports, { administrator, requestId, change }, { params, body: parsed.data, exchange })
        },
        (outcome) => answer(status, route.show(outcome, exchange)),
        repeatRefusal && ((outcome) => problemAnswer(409, repeatRefusal(outcome), exchange.requestId)),
      )
    },
  }
}

const described = ({ path, operation, summary, shows, isVersioned, need }: Described): Described => ({
  ...{ path, operation, summary, shows, isVersioned, need },
})

function problemAnswer(status: number, detail: string, requestId: string): Answer {
  return { status, body: problemText(status, detail, requestId) }
}

function answer(status: number, { view, etag, location }: Shown): Answer {
  return { status, body: JSON.stringify(view, numericDates), etag, location }
}

/** Times leave as NumericDate; `toJSON` has made text of a Date before a replacer sees it, so it looks at the original. */
function numericDates(this: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  const original = this[name]
  return original instanceof Date ? original.getTime() / 1_000 : value
}
