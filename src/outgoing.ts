import type { KeyEncryption } from './adapters/keys/key-encryption.ts'
import { fetchCompatible } from './adapters/net/fetch-compatible.ts'
import { guardedFetch, refuseOutboundUrl } from './adapters/net/guarded-fetch.ts'
import { startDelivering } from './adapters/notifications/deliver.ts'
import { pingSealer } from './adapters/notifications/ping.ts'
import type { Query } from './adapters/prisma/open-database.ts'
import type { PingSealer } from './approval-ports.ts'
import type { Config } from './config.ts'

export interface OutgoingParts {
  readonly issuer: string
  readonly config: Pick<
    Config,
    'outboundPorts' | 'allowLoopbackRequests' | 'approvalWebhookUrl' | 'approvalWebhookSecret'
  >
  readonly query: Query
  readonly encryption: KeyEncryption
  readonly onFault: (error: unknown) => void
}

/** What this server asks of others, all of it through one guard. */
export interface Outgoing extends PingSealer {
  /** For libraries that take a `fetch`. */
  readonly fetch: typeof globalThis.fetch
  /** Why an address will never be asked; undefined: it may be. */
  readonly refuseUrl: (url: string) => string | undefined
  /** Ends what is under way. */
  readonly stop: () => Promise<void>
}

/** Opens the way out, and begins to send what waits to be sent. */
export function openOutgoing({ issuer, config, query, encryption, onFault }: OutgoingParts): Outgoing {
  const { approvalWebhookUrl: url, approvalWebhookSecret: secret } = config
  const limits = { allowLoopback: config.allowLoopbackRequests, ports: config.outboundPorts }
  const { stop } = startDelivering({
    ...{ query, encryption, issuer, onFault },
    // Of its own: what an agent's endpoint does to it must not keep anybody from signing in. An answer is not read further.
    fetch: guardedFetch({ ...limits, timeoutSeconds: 10, maxBytes: 64 * 1_024 }),
    webhook: url === undefined || secret === undefined ? undefined : { url, secret },
  })
  const refuseUrl = (text: string) => refuseOutboundUrl(text, limits)
  return { fetch: fetchCompatible(guardedFetch(limits)), refuseUrl, ...pingSealer(encryption), stop }
}
