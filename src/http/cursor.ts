import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Refusal, refuse } from '../core/refusal.ts'

const TAG_BYTES = 16
const MAX_CURSOR_LENGTH = 1_024

/** Where a list goes on. Opaque to the caller, made by us, and good for the same list with the same filters only. */
export interface Cursors {
  readonly issue: (list: string, position: string) => string
  readonly read: (list: string, cursor: string) => string | Refusal<'request_malformed'>
}

/** @param secret shared by all processes on one database, so that a page may be asked of any. */
export function cursors(secret: Uint8Array): Cursors {
  const tagOf = (list: string, position: Uint8Array) =>
    createHmac('sha256', secret)
      .update(`${Buffer.byteLength(list)}:${list}`)
      .update(position)
      .digest()
      .subarray(0, TAG_BYTES)
  return {
    issue: (list, position) => {
      const bytes = Buffer.from(position)
      return Buffer.concat([tagOf(list, bytes), bytes]).toString('base64url')
    },
    read: (list, cursor) => {
      const bytes = cursor.length > MAX_CURSOR_LENGTH ? Buffer.alloc(0) : Buffer.from(cursor, 'base64url')
      const [tag, position] = [bytes.subarray(0, TAG_BYTES), bytes.subarray(TAG_BYTES)]
      const isOurs = tag.length === TAG_BYTES && timingSafeEqual(tag, tagOf(list, position))
      // Base64url of one value has one spelling, or a changed cursor could pass.
      return isOurs && bytes.toString('base64url') === cursor
        ? position.toString()
        : refuse('request_malformed', '"cursor" is not one of this list with these filters')
    },
  }
}
