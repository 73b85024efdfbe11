import { inspect } from 'node:util'
import { expect } from 'vitest'
import {
  type ActionToken,
  type Agent,
  type AgentOptions,
  createAgent,
  importKey,
  isWritRefusal,
  type WritRefusal,
} from '../../../src/sdk/agent/index.ts'
import type { TestClient } from '../../support/clients.ts'

/** The agent that an administrator registered, by its own SDK. */
export async function agentOf(issuer: string, client: TestClient, options: Partial<AgentOptions> = {}): Promise<Agent> {
  const key = await importKey(client.key.privateKey.export({ format: 'jwk' }))
  return createAgent({ issuer, id: client.id, key, ...options })
}

/** An outcome that must be a token. */
export function granted(outcome: ActionToken | WritRefusal): ActionToken {
  if (isWritRefusal(outcome)) throw new Error(`${outcome.error}: ${outcome.description}`)
  return outcome
}

/** An outcome that must be a refusal. */
export function refused(outcome: unknown): WritRefusal {
  if (!isWritRefusal(outcome)) throw new Error('this was not refused')
  return outcome
}

/** Every way in which a value is shown or stored by accident. */
export function shown(value: unknown): string {
  const all = { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null, maxArrayLength: null }
  return [
    inspect(value),
    inspect(value, all),
    inspect(value, { ...all, showProxy: true }),
    JSON.stringify(value),
    String(value),
    JSON.stringify({ ...(value as object) }),
    value instanceof Error ? `${value.stack}${JSON.stringify(value, Object.getOwnPropertyNames(value))}` : '',
  ].join('\n')
}

export function expectNotShown(value: unknown, ...secrets: readonly string[]): void {
  const text = shown(value)
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(10)
    expect(text).not.toContain(secret)
    // Nor a part of it: the signature of a token is enough to search a log for.
    expect(text).not.toContain(secret.slice(-20))
  }
}
