import { z } from 'zod'
import { amend } from '../../commands/admin/amend.ts'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { changeStatus, type StatusVerb } from '../../commands/admin/change-status.ts'
import { lookUp, lookUpAll } from '../../commands/admin/look-up.ts'
import { register } from '../../commands/admin/register.ts'
import type { Entities, Members, NewEntity, NewKey, Noun } from '../../commands/admin/registered.ts'
import type { JsonObject } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { invalidMembers } from './admin-problem.ts'
import { entityTag, readIfMatch } from './entity-tag.ts'
import { Moment, ReasonOnly } from './members.ts'
import { mergePatch } from './merge-patch.ts'
import { change, list, type Route, type Shown, show } from './route.ts'

/** How one kind of registered thing looks on the wire. */
export interface RegisteredKind<N extends Noun, Document, Registration> {
  readonly noun: N
  /** Below `/admin`. */
  readonly path: `/${string}`
  /** For people: `an agent`. */
  readonly title: string
  /** For names of operations: `Agent`. */
  readonly name: string
  readonly registration: z.ZodType<Registration>
  readonly toNew: (body: Registration) => { readonly entity: NewEntity<N>; readonly keys?: readonly NewKey[] }
  /** What a PATCH may change, as one document. */
  readonly document: z.ZodType<Document>
  readonly toDocument: (entity: Entities[N]) => JsonObject
  readonly toMembers: (document: Document, id: string) => Members[N]
  /** Members that a PATCH may not name, and why. */
  readonly fixed: Readonly<Record<string, string>>
  readonly view: (entity: Entities[N]) => object
  /** What `view` makes of it, as JSON. */
  readonly shows: z.ZodType
  readonly verbs: readonly StatusVerb[]
}

export const IMMUTABLE = 'cannot be changed'

/** The routes that every registered thing has: register, list, show, amend, and the verbs that stop and start it. */
export function registeredRoutes<N extends Noun, Document, Registration>(
  kind: RegisteredKind<N, Document, Registration>,
): readonly Route[] {
  const { noun, path, title, name } = kind
  const versioned = { shows: kind.shows, isVersioned: true }
  const shown = (entity: Entities[N]): Shown => ({ view: kind.view(entity), etag: entityTag(entity.version) })
  const item = `${path}/:id`
  return [
    change({
      ...{ method: 'POST', path, summary: `Registers ${title}.`, status: 201, body: kind.registration },
      ...{ operation: `register${name}`, ...versioned },
      run: (ports, call: ChangeCall<Entities[N]>, { body }) => {
        const { entity, keys } = kind.toNew(body)
        return register(ports, call, noun, entity, keys)
      },
      show: (entity) => ({ ...shown(entity), location: `/admin${path}/${encodeURIComponent(entity.id)}` }),
    }),
    list({
      ...{ path, summary: `Lists ${path.slice(1).replace('-', ' ')}, in order of id.`, filters: z.strictObject({}) },
      ...{ operation: `list${name}s`, shows: kind.shows },
      run: (ports, { page }) => lookUpAll(ports, noun, page),
      view: kind.view,
      position: ({ id }) => id,
    }),
    show({
      ...{ path: item, summary: `Shows ${title}.`, operation: `show${name}`, ...versioned },
      run: (ports, { id = '' }) => lookUp(ports, noun, id),
      show: shown,
    }),
    change({
      ...{ method: 'PATCH', path: item, summary: `Changes members of ${title} by a merge patch.`, status: 200 },
      ...{ operation: `amend${name}`, ...versioned, body: z.record(z.string(), z.json()), patches: kind.document },
      run: async (ports, call: ChangeCall<Entities[N]>, { params: { id = '' }, exchange }) => {
        const isExpected = readIfMatch(exchange.ifMatch)
        if (isRefusal(isExpected)) return isExpected
        const { object } = exchange.body
        const fixed = Object.keys(kind.fixed).find((name) => Object.hasOwn(object, name))
        if (fixed !== undefined) return refuse('member_invalid', kind.fixed[fixed] ?? IMMUTABLE, fixed)
        return amend(ports, call, { noun, id, isExpected }, (current) => patched(kind, current, object))
      },
      show: shown,
    }),
    ...kind.verbs.map((verb) =>
      change({
        ...{ method: 'POST', path: `${item}/${verb}`, summary: `${SUMMARIES[verb]} ${title}.`, status: 200 },
        ...{ operation: `${verb}${name}`, ...versioned, body: ReasonOnly },
        run: (ports, call: ChangeCall<Entities[N]>, { params: { id = '' }, body: { reason } }) =>
          changeStatus(ports, call, { noun, id, verb, reason }),
        show: shown,
      }),
    ),
  ]
}

const SUMMARIES: Readonly<Record<StatusVerb, string>> = {
  suspend: 'Suspends',
  resume: 'Resumes',
  retire: 'Retires, for ever,',
}

/** The members after a merge patch: the document as it is, patched, judged as a whole (RFC 7396 §2). */
function patched<N extends Noun, Document, Registration>(
  kind: RegisteredKind<N, Document, Registration>,
  current: Entities[N],
  patch: JsonObject,
): Members[N] | Refusal {
  const parsed = kind.document.safeParse(mergePatch(kind.toDocument(current), patch))
  return parsed.success ? kind.toMembers(parsed.data, current.id) : invalidMembers(parsed.error)
}

/** What every registered thing shows of its state. */
export const stateView = (entity: Pick<Entities[Noun], 'status' | 'reason' | 'createdAt' | 'updatedAt'>) => ({
  status: entity.status,
  reason: entity.reason ?? undefined,
  created_at: entity.createdAt,
  updated_at: entity.updatedAt,
})

/** The same as JSON. */
export const stateShown = {
  status: z.enum(['active', 'suspended', 'retired']),
  reason: z.string().describe('Why it was suspended or retired.').optional(),
  created_at: Moment,
  updated_at: Moment,
}
