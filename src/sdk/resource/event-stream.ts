const KiB = 1024
/** A message of the feed is a few hundred bytes. */
const MAX_EVENT_CHARACTERS = 16 * KiB

/** One server-sent event. */
export interface ServerSentEvent {
  /** The last `id` that was sent, by this event or one before it. */
  readonly id: string | undefined
  readonly data: string
}

/**
 * Reads server-sent events (HTML Living Standard, "Interpreting an event stream"): `id` and `data` are all the feed has.
 *
 * @throws when an event is larger than any of the feed is, or is not UTF-8; and whatever the body throws.
 */
export async function* readEventStream(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const reader = body.getReader()
  let text = ''
  let id: string | undefined
  let data: string[] = []
  /** What `data` holds, each line with its end: empty lines take memory, too. Unit: characters. */
  let held = 0
  const checkSize = (characters: number) => {
    if (characters > MAX_EVENT_CHARACTERS) throw new RangeError('an event of the stream is too large')
  }
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      // A carriage return at the end may be half of a line end: it waits for what follows.
      const lines = text.split(/\r\n|\n|\r(?!$)/)
      text = lines.pop() ?? ''
      for (const line of lines) {
        checkSize(held + line.length)
        if (line !== '') {
          const [, name, rest = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
          if (name === 'data') {
            data.push(rest)
            held += rest.length + 1
          }
          if (name === 'id' && !rest.includes('\0')) id = rest
          continue
        }
        if (data.length > 0) yield { id, data: data.join('\n') }
        data = []
        held = 0
      }
      checkSize(held + text.length)
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

type ReadableStream<T> = {
  getReader(): { read(): Promise<{ done: boolean; value?: T | undefined }>; cancel(): Promise<void> }
}
