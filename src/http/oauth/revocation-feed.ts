import { PassThrough } from 'node:stream'
import type { Middleware } from 'koa'
import { type AuthorizePorts, authorizeClientToken } from '../../commands/authorize-client-token.ts'
import type { FollowPorts } from '../../commands/follow-revocations.ts'
import { isRefusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'
import { presentedToken } from '../presented-token.ts'
import { answerProtectedError } from './protected-error.ts'

const KiB = 1024
/** What may wait for a follower that does not read. */
const MAX_WAITING_BYTES = 256 * KiB

export interface RevocationFeedParts {
  readonly ports: AuthorizePorts & FollowPorts & { readonly issuer: string }
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8.2). */
  readonly nextNonce: (() => string) | undefined
}

/**
 * `GET /revocations`: a resource server follows what is stopped, as server-sent events. Each is a signed Security Event Token
 * (RFC 8417); `Last-Event-ID` goes on where it was.
 */
export function revocationFeedEndpoint({ ports, nextNonce }: RevocationFeedParts): Middleware {
  return async (context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const call = presentedToken(context.req, `${ports.issuer}/revocations`)
    const authorized = isRefusal(call) ? call : await authorizeClientToken(ports, 'resource', call)
    if (isRefusal(authorized)) return answerProtectedError(context, authorized)
    const { client, facts } = authorized
    if (!ports.admission.admits(client.id, ports.now())) {
      return answerProtectedError(context, refuse('rate_exceeded', 'too many requests'))
    }
    const [lastEventId] = headerValues(context.req, 'last-event-id')
    const stream = new PassThrough()
    const leave = ports.feed.follow(
      { client, jkt: facts.jkt, audience: client.identifier ?? '', lastEventId },
      {
        send: ({ id, set }) => {
          if (stream.writableLength > MAX_WAITING_BYTES || stream.destroyed) return false
          stream.write(`id: ${id}\nevent: set\ndata: ${set}\n\n`)
          return true
        },
        end: () => stream.end(),
      },
    )
    if (leave === undefined) return answerProtectedError(context, refuse('rate_exceeded', 'too many followers'))
    stream.on('close', leave)
    context.res.on('close', () => stream.destroy())
    context.set('Cache-Control', 'no-store')
    // A proxy that collects an answer before it passes it on would keep every event back.
    context.set('X-Accel-Buffering', 'no')
    // Without a charset: it is UTF-8 by definition.
    context.set('Content-Type', 'text/event-stream')
    context.body = stream
  }
}
