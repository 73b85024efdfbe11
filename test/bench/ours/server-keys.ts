import { systemClock } from '../../../src/adapters/clock.ts'
import { openKeyEncryption } from '../../../src/adapters/keys/key-encryption.ts'
import { openSigningKeys } from '../../../src/adapters/keys/signing-keys.ts'
import { subjectTokens } from '../../../src/adapters/keys/subject-tokens.ts'
import { CannotRun } from '../harness/bench.ts'
import type { OurServer } from './start-server.ts'

/** What the server could sign, signed here: a million delegations are not registered through an API to get their tokens. */
export interface ServerKeys {
  readonly subjectToken: (delegation: SeededDelegation) => string
  /** An action token of these claims, whether or not it is on record. */
  readonly actionToken: (claims: Readonly<Record<string, unknown>>) => Promise<string>
}

export interface SeededDelegation {
  readonly id: string
  readonly principalId: string
  readonly agentId: string
}

const HOUR = 3_600_000

/** Opens the keys of a server of this build, from its database and its data directory. */
export async function openServerKeys({ issuer, database, dataDirectory }: OurServer): Promise<ServerKeys> {
  if (database === undefined) throw new CannotRun('the keys of an embedded database are its own')
  const encryption = await openKeyEncryption(undefined, dataDirectory)
  const keys = await openSigningKeys(database.query, encryption, systemClock)
  const tokens = subjectTokens(issuer, keys)
  return {
    subjectToken: ({ id, principalId, agentId }) =>
      tokens.sign({
        ...{ id, agentId, principal: { id: principalId } },
        createdAt: new Date(),
        expiresAt: new Date(Date.now() + HOUR),
      }),
    actionToken: (claims) => keys.signAccessToken(JSON.stringify(claims)),
  }
}
