import { base64url, utf8 } from './base64url.ts'

/** Stands in an action for content that is not sent to the authorization server: exactly this one member. */
export interface ContentDigest {
  readonly s256: string
}

/**
 * Digests content for a member that its action type lists as digestible: a string's UTF-8 bytes, or bytes; for a `jcs`
 * member its RFC 8785 form.
 */
export async function contentDigest(content: string | Uint8Array): Promise<ContentDigest> {
  return { s256: await sha256Base64url(content) }
}

/** SHA-256 as unpadded base64url: 43 characters. Text is hashed as UTF-8. */
export async function sha256Base64url(data: string | Uint8Array): Promise<string> {
  // Copied: bytes may stand on shared memory, which Web Crypto refuses.
  const bytes = typeof data === 'string' ? utf8(data) : new Uint8Array(data)
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
