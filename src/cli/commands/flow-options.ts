import type { Command } from 'commander'
import { usageError } from '../cli-error.ts'
import { collect } from '../input/parse-when.ts'

/** By which flows an agent may ask principals to delegate to it. */
export interface FlowOptions {
  readonly redirectUri?: readonly string[] | undefined
  readonly grant?: readonly string[] | undefined
  readonly notify?: string | undefined
}

const GRANTS = ['authorization_code', 'device_code', 'ciba']

/** Members of the API that these options set, and that can be removed. */
export const FLOW_MEMBERS = [
  ...['redirect_uris', 'grant_types', 'backchannel_token_delivery_mode'],
  'backchannel_client_notification_endpoint',
]

export const addFlowOptions = (command: Command) =>
  command
    .option('--redirect-uri <uri>', 'where authorization codes may be sent; may be repeated', collect)
    .option('--grant <type>', `how it may ask principals to delegate: ${GRANTS.join(', ')}; may be repeated`, collect)
    .option('--notify <url>', 'ping it there when a principal has answered; https')

/** The options as members of the API. */
export function flowMembers({ redirectUri, grant, notify }: FlowOptions) {
  const odd = grant?.find((type) => !GRANTS.includes(type))
  if (odd !== undefined) throw usageError(`"${odd}" is no grant of an agent`, `there are ${GRANTS.join(', ')}`)
  // A code needs somewhere to go; who names a place means that flow.
  const grants = grant ?? (redirectUri === undefined ? undefined : ['authorization_code'])
  return {
    ...(redirectUri !== undefined && { redirect_uris: [...redirectUri] }),
    ...(grants !== undefined && { grant_types: [...grants] }),
    ...(notify !== undefined && {
      backchannel_token_delivery_mode: 'ping',
      backchannel_client_notification_endpoint: notify,
    }),
  }
}
