import { createPublicKey } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'
import { usageError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { readText } from './read-text.ts'

/** Members that only a private key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Reads a public key, a JWK or PEM, from a file or, where the name is `-`, standard input. A private key goes no further. */
export async function readPublicKey(io: Io, name: string): Promise<JsonObject> {
  const text = (await readText(io, name)).trim()
  const where = name === '-' ? 'standard input' : name
  const mend = 'give the public half: a JWK such as {"kty":"EC","crv":"P-256","x":"…","y":"…"}, or PEM'
  if (/PRIVATE KEY-----/.test(text)) throw isPrivate(where, mend)
  if (text.startsWith('-----BEGIN PUBLIC KEY-----')) return readPem(text, where, mend)
  const jwk = parseJson(text)
  if (isRefusal(jwk) || !isJsonObject(jwk)) throw usageError(`${where} holds no key`, mend)
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) throw isPrivate(where, mend)
  return jwk
}

const isPrivate = (where: string, mend: string) =>
  usageError(`${where} holds a private key; the server must never see one, so nothing was sent`, mend)

function readPem(text: string, where: string, mend: string): JsonObject {
  try {
    const jwk = createPublicKey(text).export({ format: 'jwk' })
    return Object.fromEntries(
      Object.entries(jwk).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )
  } catch {
    throw usageError(`${where} holds no valid PEM key`, mend)
  }
}
