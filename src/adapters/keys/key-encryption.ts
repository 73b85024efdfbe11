import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createPrivateFile, readPrivateFile } from './private-file.ts'

const VERSION = 1
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Seals what must not lie in the database in the clear: private signing keys, cookie keys, nonce and cursor secrets. */
export interface KeyEncryption {
  /** `name` is authenticated with the content, so that one sealed value cannot be put in another's place. */
  readonly seal: (content: Uint8Array, name: string) => Buffer
  /** @throws when the content was sealed with another key, under another name, or was changed. */
  readonly open: (sealed: Uint8Array, name: string) => Buffer
}

/** A key-encryption key that is none, or not the one that was used. The message is one line for the operator. */
export class KeyEncryptionRefused extends Error {
  override readonly name = 'KeyEncryptionRefused'
}

/** Takes the key-encryption key from the configuration, or from `<data directory>/kek`, which the first start makes. */
export async function openKeyEncryption(configured: string | undefined, dataDirectory: string): Promise<KeyEncryption> {
  if (configured !== undefined) return keyEncryption(Buffer.from(configured, 'base64url'))
  const path = join(dataDirectory, 'kek')
  await createPrivateFile(path, `${randomBytes(KEY_BYTES).toString('base64url')}\n`)
  const key = Buffer.from(((await readPrivateFile(path)) ?? '').trim(), 'base64url')
  if (key.length !== KEY_BYTES) {
    throw new KeyEncryptionRefused(
      `${path} does not hold a key-encryption key of ${KEY_BYTES} bytes; put the right file there, or set WRIT_KEY_ENCRYPTION_KEY`,
    )
  }
  return keyEncryption(key)
}

/** AES-256-GCM with a random 96-bit nonce: version, nonce, tag, ciphertext. */
export function keyEncryption(key: Buffer): KeyEncryption {
  return {
    seal: (content, name) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name))
      const ciphertext = Buffer.concat([cipher.update(content), cipher.final()])
      return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), ciphertext])
    },
    open: (sealed, name) => {
      const bytes = Buffer.from(sealed)
      if (bytes[0] !== VERSION || bytes.length < 1 + NONCE_BYTES + TAG_BYTES) {
        throw new Error(`the sealed value "${name}" is not in a format of this version`)
      }
      const tagStart = 1 + NONCE_BYTES
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, tagStart), { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(tagStart, tagStart + TAG_BYTES))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(tagStart + TAG_BYTES)), decipher.final()])
      } catch {
        throw new KeyEncryptionRefused(
          `the sealed value "${name}" cannot be opened: it was sealed with another key-encryption key ` +
            '(WRIT_KEY_ENCRYPTION_KEY, or the file kek in the data directory), or changed',
        )
      }
    },
  }
}
