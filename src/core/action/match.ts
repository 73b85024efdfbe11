import type { JsonObject } from '../json.ts'
import type { ActionType } from './action-type.ts'
import { difference } from './difference.ts'
import { digestPlaces } from './digest.ts'

const EITHER_SIDE = { isDigestExpectable: true }

/**
 * Whether the call that a resource server is about to execute is exactly the action that a token authorizes.
 *
 * `authorized` is the token's `authorization_details` element; `actual` is what the resource server built from the
 * request in front of it, `type` and `locations` included. At a digestible member either may hold the digest.
 *
 * @returns undefined when it is that action; otherwise the path of the first member that differs, in the order of
 * `authorized`, then members that it lacks. An error inside the comparison is a mismatch, of the action as a whole ('').
 */
export function actionMismatch(
  actual: JsonObject,
  authorized: JsonObject,
  digestible: ActionType['digestible'],
): string | undefined {
  try {
    return difference(actual, authorized, digestPlaces(digestible), EITHER_SIDE)
  } catch {
    return ''
  }
}
