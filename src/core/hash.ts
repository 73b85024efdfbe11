import { createHash } from 'node:crypto'

/** SHA-256 as unpadded base64url: 43 characters. Text is hashed as UTF-8. */
export function sha256Base64url(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url')
}

/** SHA-256 of a text's UTF-8 bytes, hexadecimal. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')
