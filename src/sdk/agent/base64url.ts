/** Bytes, or the UTF-8 of a text, as unpadded base64url (RFC 7515 §2). Web APIs only: this runs where there is no Buffer. */
export function base64url(data: string | Uint8Array): string {
  const bytes = typeof data === 'string' ? utf8(data) : data
  let binary = ''
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** A text as its UTF-8 bytes. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

/** Arguments of one call: engines limit their number. */
const CHUNK = 8_192
