import { PassThrough } from 'node:stream'
import type { Middleware } from 'koa'
import type { FollowNewsPorts } from '../../commands/people/follow-news.ts'
import { whoAsks } from './me-parts.ts'

const KiB = 1024
/** What may wait for a page that does not read. */
const MAX_WAITING_BYTES = 64 * KiB

/**
 * `GET /me/events`: tells an open page that something is new for its principal, as server-sent events. It holds a number and two
 * marks, nothing that is to be kept from anybody; what is new the page fetches as it was fetched at first.
 */
export function meEvents({ news }: FollowNewsPorts): Middleware {
  return (context) => {
    const { loginId, principalId } = whoAsks(context)
    const stream = new PassThrough()
    const write = (text: string) => {
      if (stream.writableLength > MAX_WAITING_BYTES || stream.destroyed) return false
      stream.write(text)
      return true
    }
    const leave = news.follow(
      { loginId, principalId },
      {
        send: (told) => write(`event: changed\ndata: ${JSON.stringify(told)}\n\n`),
        alive: () => write(': alive\n\n'),
        end: (reason) => {
          if (reason === 'ended') write('event: ended\ndata: {}\n\n')
          stream.end()
        },
      },
    )
    context.set('Cache-Control', 'no-store')
    if (leave === undefined) {
      // An event source gives up after any answer but 200.
      context.status = 429
      context.set('Retry-After', '60')
      context.body = 'too many open pages\n'
      return
    }
    stream.on('close', leave)
    context.res.on('close', () => stream.destroy())
    // A proxy that collects an answer before it passes it on would keep every event back.
    context.set('X-Accel-Buffering', 'no')
    context.set('Content-Type', 'text/event-stream')
    context.body = stream
  }
}
