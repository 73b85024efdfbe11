/** An HTTP request as node:http has it; `IncomingMessage` fits, and so does anything with the raw headers. */
export interface ResourceRequest {
  readonly method?: string | undefined
  /** Path and query as they were received, before any router changed them. */
  readonly url?: string | undefined
  /** Names and values in turn, as `IncomingMessage.rawHeaders`: the only place where a repeated header can be seen. */
  readonly rawHeaders: readonly string[]
}

/** Names of all headers, in lower case, `_` as `-`: gateways to CGI and WSGI cannot tell them apart. */
export function headerNames({ rawHeaders }: ResourceRequest): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase().replaceAll('_', '-'))
}

/**
 * The URL of a request under the configured external origin, or undefined where the target is not a path.
 *
 * `GET http://other.example/ HTTP/1.1` and `@other.example` are no paths: the origin is ours to say, never the request's.
 */
export function externalUrl(origin: string, { url }: ResourceRequest): string | undefined {
  return url?.startsWith('/') ? origin + url : undefined
}
