import { BUILTIN_ACTION_TYPES } from '../../core/action/builtin/builtin-action-types.ts'
import type { Digestible } from '../../core/action/digest.ts'
import { actionMismatch } from '../../core/action/match.ts'
import type { JsonObject } from '../../core/json.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { foreignDigest } from './content-digest.ts'

/**
 * What a resource server is about to execute, as an action: one form, or several that all mean the very same call (a body
 * or its digest). Or a refusal, where the request cannot be one action.
 */
export type ActualAction = JsonObject | readonly JsonObject[] | Refusal<'action_mismatch'>

/** Digestible members of custom action types, as they are registered at the authorization server. */
export type ActionTypes = Readonly<Record<string, Digestible>>

/** Says why the forms of the actual action are not the authorized one, or undefined: one of them is. */
export type ActionCheck = (
  forms: readonly JsonObject[],
  authorized: JsonObject & { readonly type: string },
) => Refusal<'action_mismatch'> | undefined

/**
 * Makes the check that a call *is* the authorized action (RFC 9396 §2), at the one place `resource`.
 *
 * A type that is neither built in nor given has no digestible members: it is compared member by member.
 */
export function createActionCheck(resource: string, custom: ActionTypes): ActionCheck {
  const digestible = new Map<string, Digestible>(
    BUILTIN_ACTION_TYPES.map((definition) => [definition.type, definition.digestible ?? {}]),
  )
  for (const [type, members] of Object.entries(custom)) {
    if (digestible.has(type)) throw new TypeError(`the action type ${type} is built in`)
    digestible.set(type, members)
  }
  return (forms, authorized) => {
    const members = digestible.get(authorized.type) ?? {}
    let nearest: string | undefined
    for (const form of forms) {
      // The call happens here, whether or not whoever built the form said so.
      const actual = Object.hasOwn(form, 'locations') ? form : { ...form, locations: [resource] }
      const differs = foreignDigest(actual, members) ?? actionMismatch(actual, authorized, members)
      if (differs === undefined) return undefined
      nearest ??= differs
    }
    return refuse('action_mismatch', 'the access token is for another action', nearest ?? '')
  }
}
