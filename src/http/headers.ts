import type { IncomingMessage } from 'node:http'

/**
 * Every value of a header, as many times as it was sent.
 *
 * Node joins or drops repeated headers in `headers`; whoever must see a second one counts the raw ones.
 */
export function headerValues(request: Pick<IncomingMessage, 'rawHeaders'>, name: string): readonly string[] {
  const { rawHeaders } = request
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}
