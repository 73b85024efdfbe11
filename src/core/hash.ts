import { hash } from 'node:crypto'

/** SHA-256 as unpadded base64url: 43 characters. Text is hashed as UTF-8. */
export function sha256Base64url(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url')
}

/** SHA-256 of a text's UTF-8 bytes, hexadecimal. */
export const sha256Hex = (text: string): string => hash('sha256', text, 'hex')
