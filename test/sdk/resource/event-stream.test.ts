import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readEventStream, type ServerSentEvent } from '../../../src/sdk/resource/event-stream.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A body of these chunks; it says how much was taken of it, and whether it was cancelled. */
function bodyOf(chunks: Iterable<Uint8Array>) {
  const state = { taken: 0, isCancelled: false }
  const from = chunks[Symbol.iterator]()
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = from.next()
        if (done) return controller.close()
        state.taken += value.length
        controller.enqueue(value)
      },
      cancel() {
        state.isCancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { body: { getReader: () => stream.getReader() }, state }
}

async function all(events: AsyncIterable<ServerSentEvent>): Promise<ServerSentEvent[]> {
  const read: ServerSentEvent[] = []
  for await (const event of events) read.push(event)
  return read
}
async function read(...chunks: (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  const { body } = bodyOf(chunks.map((chunk) => (typeof chunk === 'string' ? bytes(chunk) : chunk)))
  return all(readEventStream(body))
}

describe('readEventStream', () => {
  test.each<[string, string, ServerSentEvent[]]>([
    ['one event', 'id: 7\ndata: x\n\n', [{ id: '7', data: 'x' }]],
    ['data of several lines', 'data: a\ndata:\ndata: b\n\n', [{ id: undefined, data: 'a\n\nb' }]],
    ['one space after the colon goes, and no more', 'data:  a \n\n', [{ id: undefined, data: ' a ' }]],
    ['no space after the colon', 'data:a:b\n\n', [{ id: undefined, data: 'a:b' }]],
    ['a name without a colon has an empty value', 'data\n\n', [{ id: undefined, data: '' }]],
    [
      'the last id holds for what follows',
      'id: 1\ndata: a\n\ndata: b\n\n',
      [
        { id: '1', data: 'a' },
        { id: '1', data: 'b' },
      ],
    ],
    ['an id without data counts, too', 'id: 1\n\ndata: b\n\n', [{ id: '1', data: 'b' }]],
    [
      'an empty id is one',
      'id: 1\ndata: a\n\nid\ndata: b\n\n',
      [
        { id: '1', data: 'a' },
        { id: '', data: 'b' },
      ],
    ],
    ['an id with U+0000 is none', 'id: 1\nid: 2\0\ndata: a\n\n', [{ id: '1', data: 'a' }]],
    [
      'comments and other fields',
      ': hello\nevent: set\nretry: 5\n data: no\nDATA: no\ndata: a\n\n',
      [{ id: undefined, data: 'a' }],
    ],
    ['empty lines without data are nothing', '\n\n\r\n\r\rid: 1\n\n', []],
    ['an event that was not ended is none', 'data: a\n\ndata: b\n', [{ id: undefined, data: 'a' }]],
    [
      'line ends of all three kinds, mixed',
      'id: 1\rdata: a\r\n\r\ndata: b\n\rdata: c\r\r\n',
      [
        { id: '1', data: 'a' },
        { id: '1', data: 'b' },
        { id: '1', data: 'c' },
      ],
    ],
    ['a byte order mark at the beginning goes', '\uFEFFdata: a\n\n', [{ id: undefined, data: 'a' }]],
    ['a byte order mark elsewhere is a character', 'data: a\n\n\uFEFFdata: b\n\n', [{ id: undefined, data: 'a' }]],
    ['nothing', '', []],
  ])('%s', async (_name, text, events) => {
    expect(await read(text)).toEqual(events)
  })

  test('CR at the end of one chunk, LF at the beginning of the next: one line end', async () => {
    expect(await read('data: a\r', '\ndata: b\r', '\n\r', '\n')).toEqual([{ id: undefined, data: 'a\nb' }])
  })

  test('a character, and the byte order mark, split between chunks', async () => {
    const [mark, text] = [bytes('\uFEFF'), bytes('data: €𝄞\n\n')]
    const single = [...mark, ...text].map((byte) => Uint8Array.of(byte))
    expect(await read(...single)).toEqual([{ id: undefined, data: '€𝄞' }])
  })

  test('however it is cut, it says the same', async () => {
    const piece = fc.constantFrom(
      ...['data: ', 'data', 'id: ', ':', 'a', '€', '𝄞', ' ', '\n', '\n', '\r\n', '\r\n\r\n', '\n\n', '\uFEFF', '\0'],
    )
    const cut = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), cut, async (pieces, sizes) => {
        const whole = bytes(pieces.join(''))
        const chunks: Uint8Array[] = []
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = sizes[i % sizes.length] as number
          chunks.push(whole.subarray(at, at + size))
          at += size
        }
        expect(await read(...chunks)).toEqual(await read(whole))
      }),
      { numRuns: 3_000 },
    )
  })

  test('what is no UTF-8 -> throws', async () => {
    await expect(read('data: ', Uint8Array.of(0xc3, 0x28), '\n\n')).rejects.toThrow(TypeError)
  })

  test('who stops reading cancels the body', async () => {
    const { body, state } = bodyOf([bytes('data: a\n\ndata: b\n\n')])
    for await (const { data } of readEventStream(body)) {
      expect(data).toBe('a')
      break
    }
    expect(state.isCancelled).toBe(true)
  })

  test('what the body throws is thrown', async () => {
    const stream = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error('cut')) })
    const body = { getReader: () => stream.getReader() }
    await expect(all(readEventStream(body))).rejects.toThrow('cut')
  })
})

describe('what is larger than any event of the feed: given up, soon', () => {
  const line = 'x'.repeat(1_000)
  test.each<[string, string]>([
    ['a line that does not end', line],
    ['data that does not end', `data: ${line}\n`],
    ['data of empty lines that does not end', 'data:\n'.repeat(200)],
    ['data without colons', 'data\n'.repeat(200)],
  ])('%s', async (_name, chunk) => {
    function* endless() {
      for (let i = 0; i < 1_000; i++) yield bytes(chunk)
    }
    const { body, state } = bodyOf(endless())
    await expect(all(readEventStream(body))).rejects.toThrow(RangeError)
    expect(state.isCancelled).toBe(true)
    expect(state.taken).toBeLessThan(200_000)
  })

  test.each<[string, string]>([
    ['data', `data: ${line.repeat(17)}\n\n`],
    ['an id', `id: ${line.repeat(17)}\ndata: a\n\n`],
  ])('%s that comes in one chunk', async (_name, chunk) => {
    await expect(read(chunk)).rejects.toThrow(RangeError)
  })

  test('many events in one chunk are none too large', async () => {
    expect(await read(`data: ${line}\n\n`.repeat(500))).toHaveLength(500)
  })
})
