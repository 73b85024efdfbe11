import type { ApprovalState, ApprovalVote, Named, StoredApproval } from '../../approval-ports.ts'
import type { ActionType, Risk } from '../../core/action/action-type.ts'
import { type DigestPlace, isDigest } from '../../core/action/digest.ts'
import { parseAction } from '../../core/action/parse-action.ts'
import { renderSentence } from '../../core/action/render.ts'
import { isJsonObject, type JsonObject, type JsonValue, MAX_JSON_BYTES, parseJson } from '../../core/json.ts'
import type { ApprovalNeed } from '../../core/policy/approval-need.ts'
import { isRefusal } from '../../core/refusal.ts'
import type { Directory } from '../../ports.ts'

/** An approval as those who may see it are shown it. */
export interface ApprovalView {
  readonly id: string
  /** `void` also where it is pending and what it rests on has changed: nobody can approve it any more. */
  readonly state: ApprovalState
  readonly principal: StoredApproval['principal']
  readonly agent: Named
  /** Root first; the last one is `agent`. */
  readonly chain: readonly Named[]
  readonly delegationId: string
  readonly resource: string
  /** Every member, as it will be in the token. */
  readonly action: JsonObject
  readonly actionDigest: string
  readonly actionType: {
    readonly type: string
    /** The version that it was asked under. */
    readonly version: number
    /** As they are now; absent where the type is of another version now. */
    readonly title?: string
    readonly risk?: Risk
  }
  /** The words of the type's template with the action's values; absent where the type is of another version now. */
  readonly sentence?: string
  /** Paths of members of which Writ knows the digest alone: "content not shown to Writ". */
  readonly digestOnly: readonly string[]
  /** The agent's own words: to be shown apart, and marked so. */
  readonly purpose?: string
  readonly needs: readonly ApprovalNeed[]
  readonly approvers: readonly Named[]
  /** The smallest number of yeses that could be enough. */
  readonly threshold: number
  readonly votes: readonly ApprovalVote[]
  readonly turn?: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly decidedAt?: Date
}

/** What a stored approval looks like: built from the parsed action and the type's own template, never from the agent's words. */
export async function viewOf(
  { directory }: { readonly directory: Pick<Directory, 'actionType'> },
  approval: StoredApproval,
): Promise<ApprovalView> {
  const details = actionOf(approval)
  const known = await directory.actionType(approval.actionType, 'fresh')
  const type = known?.actionType.version === approval.actionTypeVersion ? known.actionType : undefined
  const shown = type && shownBy(type, details, approval.resource)
  const { id, state, isStanding, principal, agent, chain, delegationId, resource, needs, approvers, votes } = approval
  return {
    ...{ id, principal, agent, chain, delegationId, resource, needs, approvers, votes },
    state: state === 'pending' && !isStanding ? 'void' : state,
    action: details,
    actionDigest: approval.actionDigest,
    actionType: {
      ...{ type: approval.actionType, version: approval.actionTypeVersion },
      ...(type !== undefined && { title: type.title, risk: type.risk }),
    },
    ...(shown !== undefined && { sentence: shown.sentence }),
    digestOnly: shown?.digestOnly ?? [],
    ...(approval.purpose !== null && { purpose: approval.purpose }),
    threshold: Math.max(...needs.map(({ threshold }) => threshold)),
    ...(approval.turn !== null && { turn: approval.turn }),
    createdAt: approval.createdAt,
    expiresAt: approval.expiresAt,
    ...(approval.decidedAt !== null && { decidedAt: approval.decidedAt }),
  }
}

/** The action as it was parsed when it was asked for. Its canonical form may be longer than what was sent. */
export function actionOf({ action }: Pick<StoredApproval, 'action'>): JsonObject {
  const details = parseJson(action, { maxBytes: 16 * MAX_JSON_BYTES })
  if (isRefusal(details) || !isJsonObject(details)) throw new Error('the action of an approval is no JSON object')
  return details
}

function shownBy(type: ActionType, details: JsonObject, resource: string) {
  const action = parseAction(details, type, resource)
  if (isRefusal(action)) return undefined
  return { sentence: renderSentence(action), digestOnly: digestsIn(action.details, type.digestPlaces, '') }
}

function digestsIn(value: JsonValue, place: DigestPlace, path: string): readonly string[] {
  if (place.kind !== undefined) return isDigest(value) ? [path] : []
  if (!isJsonObject(value)) return []
  return [...place.members].flatMap(([name, inner]) => {
    const member = Object.hasOwn(value, name) ? value[name] : undefined
    return member === undefined ? [] : digestsIn(member, inner, path === '' ? name : `${path}.${name}`)
  })
}
