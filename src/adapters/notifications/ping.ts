import type { PingSealer } from '../../approval-ports.ts'
import type { KeyEncryption } from '../keys/key-encryption.ts'

/** What a sealed ping is called where it is sealed and opened. */
const NAME = 'notification.ping'

/** A message as it goes to somebody's endpoint. */
export interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Pings are made when they are asked for and sealed with their bearer token, so that whoever decides an approval needs no key.
 */
export function pingSealer(encryption: Pick<KeyEncryption, 'seal'>): PingSealer {
  return {
    sealPing: (authReqId, token) => {
      const ping: Message = {
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ auth_req_id: authReqId }),
      }
      return encryption.seal(Buffer.from(JSON.stringify(ping)), NAME)
    },
  }
}

/** @throws when it was sealed with another key, or changed. */
export function openPing(encryption: Pick<KeyEncryption, 'open'>, sealed: Uint8Array): Message {
  return JSON.parse(encryption.open(sealed, NAME).toString()) as Message
}
