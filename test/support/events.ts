import { get, type IncomingMessage } from 'node:http'
import type { Browser } from './browser.ts'

export interface OpenPage {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** The next event: its name and what it says. */
  readonly next: () => Promise<{ readonly name: string; readonly data: Record<string, unknown> } | 'closed'>
  readonly close: () => void
}

/** Follows the events of a browser's login, as an open page does. @param origin of the process that is asked. */
export function openEvents(browser: Browser, origin = browser.origin): Promise<OpenPage> {
  const cookie = [...browser.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ')
  return new Promise((resolve, reject) => {
    const request = get(`${origin}/me/events`, {
      headers: { Cookie: cookie, Accept: 'text/event-stream' },
      agent: false,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      let buffer = ''
      const waiting: (() => void)[] = []
      let isClosed = false
      const wake = () => {
        for (const each of waiting.splice(0)) each()
      }
      response.setEncoding('utf8').on('data', (chunk: string) => {
        buffer += chunk
        wake()
      })
      response.on('error', () => {})
      response.on('close', () => {
        isClosed = true
        wake()
      })
      const next: OpenPage['next'] = async () => {
        for (;;) {
          const [, name, data] = /^event: (\w+)\ndata: (.*)\n\n/.exec(buffer) ?? []
          if (name !== undefined && data !== undefined) {
            buffer = buffer.slice(buffer.indexOf('\n\n') + 2)
            return { name, data: JSON.parse(data) }
          }
          if (isClosed) return 'closed'
          await new Promise<void>((done) => waiting.push(done))
        }
      }
      resolve({ status: response.statusCode ?? 0, headers: response.headers, next, close: () => request.destroy() })
    })
  })
}
