import { createHash } from 'node:crypto'

/** SHA-256 as unpadded base64url: 43 characters. Text is hashed as UTF-8. */
export function sha256Base64url(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url')
}
