import type { Registry } from '../../admin-ports.ts'
import type { Bound } from '../../core/delegation/bound.ts'
import { isJsonArray, type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Directory } from '../../ports.ts'
import { readBounds } from '../judge-grant.ts'

export interface JudgeAskedPorts {
  readonly directory: Directory
  readonly registry: Pick<Registry, 'read'>
}

/** What an agent asks a principal for: bounds, as they were written and as they are understood. */
export interface Asked {
  readonly values: readonly JsonValue[]
  readonly bounds: readonly Bound[]
}

const MAX_BOUNDS = 32
const MAX_PURPOSE_CHARACTERS = 500
const ONE_LINE = /^[^\p{Cc}\u2028\u2029]*$/u

/**
 * Whether a principal can be asked for this: `authorization_details` that are bounds (RFC 9396 §2), at places that are there
 * (RFC 8707 §2). Judged when it is asked for, when it is shown and when it is granted, each time by the types as they are then.
 */
export async function judgeAsked(
  ports: JudgeAskedPorts,
  { authorizationDetails, resource }: { readonly authorizationDetails: string; readonly resource: string | undefined },
): Promise<Asked | Refusal> {
  const values = parseJson(authorizationDetails)
  if (isRefusal(values)) return refuse('json_malformed', `"authorization_details": ${values.detail}`)
  if (!isJsonArray(values) || values.length === 0 || values.length > MAX_BOUNDS) {
    return refuse('action_malformed', `"authorization_details" must be an array of 1 to ${MAX_BOUNDS} bounds`)
  }
  if (resource !== undefined && (await ports.directory.resource(resource, 'fresh'))?.status !== 'active') {
    return refuse('resource_unknown', '"resource" is no active resource')
  }
  const bounds = await readBounds(ports, values, resource)
  if (isRefusal(bounds)) return bounds
  for (const [n, { type, locations }] of bounds.entries()) {
    const at = `authorization_details[${n}]`
    const known = await ports.directory.actionType(type.type, 'fresh')
    if (known?.status !== 'active') return refuse('action_type_inactive', 'the action type is not active', `${at}.type`)
    for (const location of locations) {
      if ((await ports.directory.resource(location, 'fresh'))?.status !== 'active') {
        return refuse('resource_unknown', '"locations" name no active resource', `${at}.locations`)
      }
    }
  }
  return { values, bounds }
}

/** What an agent says it is for, or shows beside its request: one line, not too long. It is the agent's word and nothing else. */
export function judgeWords(name: string, text: string | undefined): Refusal<'request_malformed'> | undefined {
  if (text === undefined || (text.length <= MAX_PURPOSE_CHARACTERS && ONE_LINE.test(text))) return undefined
  return refuse('request_malformed', `"${name}" must be one line of at most ${MAX_PURPOSE_CHARACTERS} characters`)
}
