import type { SigningKeyStore } from '../../../admin-ports.ts'
import type { PublicJwk } from '../../../core/agent/client.ts'
import { signingKeyRetiredAt, signingKeyStatus } from '../../../core/token/signing-key.ts'
import type { KeyEncryption } from '../../keys/key-encryption.ts'
import { insertSigningKey } from '../../keys/signing-keys.ts'
import { queryOn, type TransactionClient } from './transaction-client.ts'

/** Facts and changes of the server's keys; private parts stay sealed. `onWrite` is told before each write. */
export function signingKeyStore(
  client: TransactionClient,
  encryption: KeyEncryption,
  onWrite: () => void,
): SigningKeyStore {
  return {
    all: async (now) => {
      const rows = await client.signingKey.findMany({
        orderBy: [{ activatesAt: 'desc' }, { kid: 'desc' }],
        omit: { sealed: true },
      })
      const facts = rows.map(({ compromisedAt, publicJwk, ...row }) => ({
        ...row,
        jwk: publicJwk as PublicJwk,
        ...(compromisedAt !== null && { compromisedAt }),
      }))
      return facts.map((key) => ({
        ...key,
        status: signingKeyStatus(key, facts, now),
        retiredAt: signingKeyRetiredAt(key, facts),
      }))
    },
    hold: async () => {
      await client.$executeRaw`LOCK TABLE "signing_key" IN SHARE ROW EXCLUSIVE MODE`
    },
    add: (createdAt, activatesAt) => {
      onWrite()
      return insertSigningKey(queryOn(client), encryption, createdAt, activatesAt)
    },
    markAllCompromised: async (now) => {
      onWrite()
      await client.signingKey.updateMany({ where: { compromisedAt: null }, data: { compromisedAt: now } })
    },
  }
}
