import { sha256Hex } from '../hash.ts'

/** An agent's own name for the step it is in: printable ASCII without space. */
export const TURN = /^[\x21-\x7e]{1,128}$/

/** What makes two requests the same turn: the same action under the same name, for the same place, by the same delegation. */
export interface TurnIdentity {
  readonly delegationId: string
  /** Resource identifier. */
  readonly resource: string
  readonly turn: string
  readonly actionDigest: string
  /** `jti` of the action token that it was asked for with, where there is one: each has turns of its own. */
  readonly askedWith?: string | undefined
}

/** The identity as one key: 32 bytes, hexadecimal. */
export const turnKey = ({ delegationId, resource, turn, actionDigest, askedWith }: TurnIdentity): string =>
  sha256Hex(JSON.stringify(['turn', delegationId, resource, turn, actionDigest, ...(askedWith ? [askedWith] : [])]))
