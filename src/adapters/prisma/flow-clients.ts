import type { FlowClients, FlowGrantType } from '../../consent-ports.ts'
import type { Query } from './open-database.ts'

interface ClientRow {
  readonly id: string
  readonly name: string
  readonly redirect_uris: readonly string[]
  readonly grant_types: readonly FlowGrantType[]
  readonly delivery_mode: 'poll' | 'ping' | null
  readonly notification_endpoint: string | null
}

/** Agents as clients of the flows in which a principal delegates; read for each request, never remembered. */
export function flowClients(query: Query): FlowClients {
  return {
    find: async (id) => {
      const [row] = await query<ClientRow>(
        `SELECT id, name, redirect_uris, grant_types, backchannel_token_delivery_mode AS delivery_mode,
           backchannel_client_notification_endpoint AS notification_endpoint
         FROM agent WHERE id = $1 AND status = 'active'`,
        [id],
      )
      if (row === undefined) return undefined
      return {
        ...{ id: row.id, name: row.name, redirectUris: row.redirect_uris, grantTypes: row.grant_types },
        deliveryMode: row.delivery_mode ?? 'poll',
        notificationEndpoint: row.notification_endpoint ?? undefined,
      }
    },
  }
}
