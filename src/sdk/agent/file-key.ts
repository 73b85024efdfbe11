import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type AgentKey, createKey, exportKey, importKey } from './key.ts'
import type { SignatureAlgorithm } from './public-jwk.ts'
import { uniqueId } from './sign-jwt.ts'

/** Why a key file cannot be used; the message says how to mend it, and nothing of its content. */
export class KeyFileError extends Error {
  readonly kind: 'missing' | 'exists' | 'too_open' | 'foreign' | 'malformed'

  constructor(kind: KeyFileError['kind'], message: string) {
    super(message)
    this.name = 'KeyFileError'
    this.kind = kind
  }
}

const KiB = 1024
const MAX_BYTES = 4 * KiB

/**
 * Loads a key that `storeKey` stored. In memory it is not extractable.
 *
 * @throws KeyFileError when there is none, others than its owner may read or write it, or it holds no key.
 */
export async function loadKey(path: string): Promise<AgentKey> {
  const file = await openKeyFile(path)
  try {
    // The open file is what is checked and read: a name may mean another file a moment later.
    await checkPrivate(file, path)
    const bytes = Buffer.alloc(MAX_BYTES + 1)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return await importKey(JSON.parse(bytes.toString('utf8', 0, bytesRead)))
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) {
      throw new KeyFileError('malformed', `${path} does not hold a private P-256 or Ed25519 JWK`)
    }
    throw error
  } finally {
    await file.close()
  }
}

/**
 * Stores an extractable key where only its owner reads it (0600), whole or not at all, and never over another file.
 *
 * @throws KeyFileError `exists` when the name is taken; TypeError for a key that is not extractable.
 */
export async function storeKey(path: string, key: AgentKey): Promise<void> {
  const content = `${JSON.stringify(await exportKey(key))}\n`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  // Written under another name and then linked: nobody reads half a key, and of two that store one wins.
  const draft = `${path}.${uniqueId()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
    await file.close()
    await link(draft, path)
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') throw new KeyFileError('exists', `${path} is there already`)
    throw error
  } finally {
    await file.close()
    await unlink(draft)
  }
  await syncDirectory(dirname(path))
}

/** Loads the key, or makes and stores one where there is none. Of processes that race, all get the same key. */
export async function loadOrCreateKey(
  path: string,
  { alg = 'ES256' }: { readonly alg?: SignatureAlgorithm } = {},
): Promise<AgentKey> {
  try {
    return await loadKey(path)
  } catch (error) {
    if (!(error instanceof KeyFileError && error.kind === 'missing')) throw error
  }
  try {
    await storeKey(path, await createKey({ alg, extractable: true }))
  } catch (error) {
    if (!(error instanceof KeyFileError && error.kind === 'exists')) throw error
  }
  return loadKey(path)
}

async function openKeyFile(path: string): Promise<FileHandle> {
  try {
    // Without waiting: a pipe of that name would never answer.
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') throw new KeyFileError('missing', `there is no key file ${path}`)
    throw error
  }
}

async function checkPrivate(file: FileHandle, path: string): Promise<void> {
  const stats = await file.stat()
  const { mode, uid, size } = stats
  if (!stats.isFile() || size > MAX_BYTES) throw new KeyFileError('malformed', `${path} is not a key file`)
  // Windows has no modes; Node makes them up.
  if (process.platform === 'win32') return
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, '0')
    throw new KeyFileError(
      'too_open',
      `${path} is open to others (mode ${shown}): chmod 600 ${path}, and if they may have read it, enrol a new key`,
    )
  }
  const self = process.getuid?.()
  if (self !== undefined && self !== 0 && uid !== self) {
    throw new KeyFileError('foreign', `${path} belongs to another user`)
  }
}

/** A new name survives a crash only when its directory was synced as well. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

const systemCodeOf = (error: unknown) => (error as { readonly code?: unknown } | null)?.code
