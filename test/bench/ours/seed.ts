import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { administrator, type TestClient } from '../../support/clients.ts'
import { onAnyCore } from '../harness/measured-process.ts'
import type { BenchDatabase } from './bench-database.ts'

export interface SeedOptions {
  readonly agents: number
  readonly records?: number
  /** How many agents have a key that we hold. Default: none. */
  readonly keys?: number
  readonly alg?: 'ES256' | 'Ed25519'
}

/** Of the agents that were seeded, those whose keys we hold. */
export interface Seeded {
  readonly resource: TestClient & { readonly identifier: string }
  readonly agents: readonly SeededAgent[]
}

export interface SeededAgent {
  readonly client: TestClient
  readonly principalId: string
  readonly delegationId: string
}

interface Account {
  readonly id: string
  readonly jwk: Record<string, string>
}

let seeds = 0

/** Fills a migrated database by scripts/seed.mjs. */
export async function seedRows(
  { url }: BenchDatabase,
  { agents, records = 0, keys = 0, alg = 'ES256' }: SeedOptions,
  progress: (line: string) => void,
): Promise<Seeded> {
  // What every name begins with, for two seeds of one database.
  const tag = `seed${++seeds}`
  const file = join(tmpdir(), `writ-bench-keys-${process.pid}-${tag}.json`)
  const numbers = { agents, records, keys }
  const [command = '', ...args] = onAnyCore([
    ...[process.execPath, 'scripts/seed.mjs', '--database', url, '--keys-file', file, '--alg', alg, '--tag', tag],
    ...Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ])
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] })
  createInterface({ input: child.stderr }).on('line', (line) => progress(`seed: ${line}`))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`scripts/seed.mjs ended with ${code}`)
  const written: {
    resource: Account & { identifier: string }
    agents: (Account & { principal: string; delegation: string })[]
  } = JSON.parse(readFileSync(file, 'utf8'))
  rmSync(file)
  const client = ({ id, jwk }: Account): TestClient => {
    const { key } = administrator({ client_id: id, jwk })
    return { id, key: jwk.kty === 'OKP' ? { ...key, alg: 'Ed25519' } : key }
  }
  return {
    resource: { ...client(written.resource), identifier: written.resource.identifier },
    agents: written.agents.map((account) => ({
      client: client(account),
      principalId: account.principal,
      delegationId: account.delegation,
    })),
  }
}
