import type { Registry, RegistryWriter } from '../../../admin-ports.ts'
import { isRefusal, type Refusal } from '../../../core/refusal.ts'
import type { KeyEncryption } from '../../keys/key-encryption.ts'
import { approvals } from '../approvals.ts'
import { readUsed } from '../limit-counters.ts'
import { takeConsent } from '../oidc-models.ts'
import type { Database } from '../open-database.ts'
import { actionTypeStore } from './action-types.ts'
import { administratorStore } from './administrators.ts'
import { agentStore } from './agents.ts'
import { delegationStore } from './delegations.ts'
import { downstreamRuleStore } from './downstream-rules.ts'
import { enrolmentStore } from './enrolments.ts'
import { completeIdempotencyKey, idempotencyKeys } from './idempotency-keys.ts'
import { instanceStore } from './instances.ts'
import { keyStore } from './keys.ts'
import { passkeyStore } from './passkeys.ts'
import { principalStore } from './principals.ts'
import { recordStore } from './records.ts'
import { resourceStore } from './resources.ts'
import { signInLinkStore } from './sign-in-links.ts'
import { signingKeyStore } from './signing-keys.ts'
import { stopStore } from './stop.ts'
import { queryOn, type TransactionClient } from './transaction-client.ts'
import { upstreamIdentityStore } from './upstream-identities.ts'

export interface RegistryParts {
  readonly database: Pick<Database, 'prisma'>
  readonly encryption: KeyEncryption
  /**
   * Called after a change of action types or signing keys has been committed, before it is answered: what this process
   * has built from them is to be built anew. Handles its own faults, for the change stands whatever it does.
   */
  readonly onGenerationRaised: () => Promise<void>
}

/** How long a change waits for a connection, and may take. Unit: ms. */
const WAITING = { maxWait: 5_000, timeout: 10_000 }

/**
 * What administrators register, kept by Prisma: people's speed.
 *
 * Inside `change` nothing but the writer may be used: the embedded database has one connection, and what asked it for
 * another would wait for a transaction that waits for it.
 */
export function openRegistry({ database: { prisma }, encryption, onGenerationRaised }: RegistryParts): Registry {
  return {
    read: storesOn(prisma, encryption, () => {}),
    idempotency: idempotencyKeys(prisma),
    change: async (work) => {
      let raisesGeneration = false
      const onWrite = () => {
        raisesGeneration = true
      }
      try {
        const outcome = await prisma.$transaction(async (client) => {
          const result = await work(storesOn(client, encryption, onWrite))
          if (isRefusal(result)) throw new RolledBack(result)
          return result
        }, WAITING)
        if (raisesGeneration) await onGenerationRaised()
        return outcome
      } catch (error) {
        if (error instanceof RolledBack) return error.refusal
        throw error
      }
    },
  }
}

/** Carries a refusal out of the transaction that it rolls back. */
class RolledBack extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super('rolled back')
    this.refusal = refusal
  }
}

function storesOn(client: TransactionClient, encryption: KeyEncryption, onWrite: () => void): RegistryWriter {
  const query = queryOn(client)
  return {
    entities: {
      agent: agentStore(client),
      principal: principalStore(client),
      resource: resourceStore(client),
      administrator: administratorStore(client),
      action_type: actionTypeStore(client, onWrite),
    },
    keys: keyStore(client),
    instances: instanceStore(client),
    enrolments: enrolmentStore(client),
    signInLinks: signInLinkStore(client),
    passkeys: passkeyStore(client),
    upstreamIdentities: upstreamIdentityStore(client),
    downstreamRules: downstreamRuleStore(client),
    delegations: delegationStore(client),
    approvals: approvals(query),
    counters: { used: (charges) => readUsed(query, charges) },
    records: recordStore(client),
    stop: stopStore(client),
    signingKeys: signingKeyStore(client, encryption, onWrite),
    takeId: async (id, kind) =>
      (await client.identity.createMany({ data: [{ id, kind }], skipDuplicates: true })).count === 1,
    activeIdentifiers: async (identifiers) => {
      const rows = await client.resource.findMany({
        where: { identifier: { in: [...identifiers] }, status: 'active' },
        select: { identifier: true },
      })
      return new Set(rows.map(({ identifier }) => identifier))
    },
    unknownActionTypes: async (types) => {
      const rows = await client.actionType.findMany({ where: { type: { in: [...types] } }, select: { type: true } })
      const known = new Set(rows.map(({ type }) => type))
      return types.filter((type) => !known.has(type))
    },
    unknownAgents: async (ids) => {
      const where = { id: { in: [...ids] }, status: { not: 'retired' as const } }
      const rows = await client.agent.findMany({ where, select: { id: true } })
      const known = new Set(rows.map(({ id }) => id))
      return ids.filter((id) => !known.has(id))
    },
    takeConsent: (model, handle) => takeConsent(queryOn(client), model, handle),
    revokeToken: async (jti, expiresAt, revokedBy) => {
      await client.revokedToken.createMany({ data: [{ jti, expiresAt, revokedBy }], skipDuplicates: true })
    },
    completeIdempotencyKey: (claim, answer) => completeIdempotencyKey(client, claim, answer),
  }
}
