import { lookup } from 'node:dns/promises'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isLoopbackAddress, isPublicAddress } from './public-address.ts'

/**
 * Requests to addresses that somebody else chose: ping endpoints, webhooks, upstream issuers.
 *
 * A server that fetches what it is told to can be made to reach what only it can reach (SSRF). So: https only, no credentials,
 * known ports, a name that we resolve ourselves, every address of it public, the connection to exactly those addresses (a
 * second answer of the name server changes nothing), no redirects, and limits on time, size and number.
 */
export type GuardedFetch = (url: string, init?: GuardedInit) => Promise<GuardedAnswer>

export interface GuardedInit {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly signal?: AbortSignal
}

export interface GuardedAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

export type GuardedFetchErrorKind = 'refused' | 'unreachable' | 'timed_out' | 'too_large' | 'busy' | 'unexpected_answer'

/** Why nothing came of a request. The message names no query, header or body: it may be logged. */
export class GuardedFetchError extends Error {
  readonly kind: GuardedFetchErrorKind
  constructor(kind: GuardedFetchErrorKind, message: string) {
    super(message)
    this.name = 'GuardedFetchError'
    this.kind = kind
  }
}

export interface GuardedFetchOptions {
  /** Development only: also this machine, by http too, on any port. */
  readonly allowLoopback: boolean
  /** Default: 443. */
  readonly ports?: readonly number[]
  /** For all of it: resolving, connecting, asking, the whole answer. Unit: seconds. Default: 10. */
  readonly timeoutSeconds?: number
  /** Of the answer's body. Unit: bytes. Default: 1 MiB. */
  readonly maxBytes?: number
  /** Requests at a time. Default: 32. */
  readonly maxConcurrent?: number
  /** Who turns a name into addresses. Default: the system. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>
  /** Certificates that are trusted, PEM. Default: those of the system. */
  readonly ca?: string
}

const KiB = 1024
const MAX_URL_CHARACTERS = 2_048
const MAX_REQUEST_BYTES = 64 * KiB
const MAX_ADDRESSES = 32

/** Makes a function that fetches within these limits. */
export function guardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { timeoutSeconds = 10, maxBytes = KiB * KiB, maxConcurrent = 32, resolve = resolveBySystem } = options
  let running = 0
  return async (text, init = {}) => {
    if (running >= maxConcurrent) throw new GuardedFetchError('busy', 'too many requests to others are under way')
    running += 1
    try {
      const url = checkedUrl(text, options)
      const timeout = AbortSignal.timeout(timeoutSeconds * 1_000)
      const signal = init.signal === undefined ? timeout : AbortSignal.any([init.signal, timeout])
      try {
        const addresses = await unlessAborted(checkedAddresses(url, options, resolve), signal)
        // Whatever the other side does to the connection, nobody waits for longer, and the place is free again.
        return await unlessAborted(send(url, addresses, { ...init, signal }, { maxBytes, ca: options.ca }), signal)
      } catch (error) {
        init.signal?.throwIfAborted()
        if (timeout.aborted) throw new GuardedFetchError('timed_out', `no answer within ${timeoutSeconds} s`)
        throw error
      }
    } finally {
      running -= 1
    }
  }
}

/**
 * The URL, when it is one that may be asked, as far as can be told before its name is resolved.
 *
 * @throws GuardedFetchError
 */
function checkedUrl(text: string, { allowLoopback, ports = [443] }: GuardedFetchOptions): URL {
  if (text.length > MAX_URL_CHARACTERS || !URL.canParse(text)) throw refused('it is no URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowLoopback && url.protocol === 'http:')) throw refused('only https is asked')
  if (url.username !== '' || url.password !== '') throw refused('a URL with credentials is not asked')
  if (url.hostname === '') throw refused('it names no host')
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  if (!allowLoopback && !ports.includes(port)) throw refused('this port is not asked')
  return url
}

/** Why this address will never be asked, whatever its name stands for; undefined: it may be. */
export function refuseOutboundUrl(text: string, options: Pick<GuardedFetchOptions, 'allowLoopback' | 'ports'>) {
  try {
    const url = checkedUrl(text, options)
    if (url.hash !== '') return 'must have no fragment'
    const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
    const isOwn = host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && isLoopbackAddress(host))
    if (isOwn) return options.allowLoopback ? undefined : 'must be an address of the public internet'
    if (isIP(host) !== 0 && !isPublicAddress(host)) return 'must be an address of the public internet'
    return url.protocol === 'https:' ? undefined : 'must be https'
  } catch (error) {
    if (error instanceof GuardedFetchError) return error.message
    throw error
  }
}

/** Every address of the host: all of them good, or none is asked. Decimal, octal and hex hosts are dotted here already. */
async function checkedAddresses(
  url: URL,
  { allowLoopback, ports = [443] }: GuardedFetchOptions,
  resolve: (hostname: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  const addresses = isIP(host) === 0 ? await resolved(host, resolve) : [host]
  if (addresses.length === 0 || addresses.length > MAX_ADDRESSES) throw refused('the host has no address to be asked')
  if (allowLoopback && addresses.every(isLoopbackAddress)) return addresses
  if (!addresses.every(isPublicAddress)) throw refused('the host has an address that is not of the public internet')
  if (url.protocol !== 'https:') throw refused('only https is asked')
  if (!ports.includes(Number(url.port === '' ? 443 : url.port))) throw refused('this port is not asked')
  return addresses
}

async function resolved(host: string, resolve: (hostname: string) => Promise<readonly string[]>) {
  try {
    return await resolve(host)
  } catch {
    throw new GuardedFetchError('unreachable', 'the host could not be resolved')
  }
}

const resolveBySystem = async (hostname: string) =>
  (await lookup(hostname, { all: true, verbatim: true })).map(({ address }) => address)

const refused = (why: string) => new GuardedFetchError('refused', `not asked: ${why}`)

/** Connects to the addresses that were checked and to no other, whatever the name stands for by now. */
const pinned =
  (addresses: readonly string[]): LookupFunction =>
  (_hostname, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }))
    const [first] = found
    if (options.all === true) callback(null, found)
    else callback(null, first?.address ?? '', first?.family)
  }

function send(
  url: URL,
  addresses: readonly string[],
  { method = 'GET', headers = {}, body, signal }: GuardedInit & { readonly signal: AbortSignal },
  { maxBytes, ca }: { readonly maxBytes: number; readonly ca: string | undefined },
): Promise<GuardedAnswer> {
  const bytes = body === undefined ? undefined : Buffer.from(body as string)
  if (bytes !== undefined && bytes.length > MAX_REQUEST_BYTES)
    throw new GuardedFetchError('too_large', 'too much to send')
  return new Promise<GuardedAnswer>((resolve, reject) => {
    const options = {
      method,
      headers: {
        ...withoutHost(headers),
        'accept-encoding': 'identity',
        ...(bytes !== undefined && { 'content-length': String(bytes.length) }),
      },
      // A connection of its own: one that is kept could be of another request's name.
      agent: false as const,
      lookup: pinned(addresses),
      signal,
      ...(ca !== undefined && { ca }),
    }
    const request: ClientRequest = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options)
    const fail = (error: unknown) => {
      request.destroy()
      reject(error instanceof GuardedFetchError ? error : new GuardedFetchError('unreachable', reason(error)))
    }
    request.on('error', fail)
    // Nothing else is told of an answer that changes the protocol (RFC 9110 §15.2.2): no response, and no error.
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      fail(new GuardedFetchError('unexpected_answer', 'the answer changes the protocol'))
    })
    request.on('response', (response) => readAnswer(response, maxBytes).then(resolve, fail))
    request.end(bytes)
  })
}

async function readAnswer(response: IncomingMessage, maxBytes: number): Promise<GuardedAnswer> {
  // What is sent packed could unpack to anything, and was not asked for.
  const encoding = response.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw new GuardedFetchError('unexpected_answer', 'the answer is compressed')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new GuardedFetchError('too_large', `the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const headers = new Headers()
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    headers.append(response.rawHeaders[i] ?? '', response.rawHeaders[i + 1] ?? '')
  }
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) }
}

const withoutHost = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OURS.has(name.toLowerCase())))
/** Headers that say how a message is sent, which is for us to say. */
const OURS = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'accept-encoding'])

/** The system's code, and no text of the other side. */
function reason(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  return /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? `it cannot be reached (${code})` : 'it cannot be reached'
}

async function unlessAborted<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  // Nobody may be waiting for it any more when it fails, and a rejection that nobody handles ends the process.
  awaited.catch(() => {})
  signal.throwIfAborted()
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([awaited, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
