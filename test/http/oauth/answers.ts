import { expect } from 'vitest'
import type { Answer } from '../../support/clients.ts'
import type { World } from '../../support/world.ts'

/**
 * Expects a refusal as every OAuth endpoint words it: status and `error` (RFC 6749 §5.2), the headers that go with them,
 * a description of printable ASCII without `"` and `\`, at most 300 characters.
 */
export function expectRefused(answer: Answer, status: number, error: string): void {
  expect([answer.status, answer.body?.error], answer.text).toEqual([status, error])
  expect(answer.headers['content-type']).toMatch(/^application\/json(;|$)/)
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
  expect(answer.headers).not.toHaveProperty('www-authenticate')
  if (status === 429 || status === 503) expect(answer.headers['retry-after']).toMatch(/^[1-9][0-9]*$/)
  else expect(answer.headers).not.toHaveProperty('retry-after')
  expect(answer.body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,300}$/)
  const members =
    error === 'access_denied' ? ['decision_id', 'error', 'error_description'] : ['error', 'error_description']
  expect(Object.keys(answer.body).sort()).toEqual(members)
}

/** The record that a `decision_id` names, read as an administrator reads it. */
export async function recordOf(world: World, decisionId: string): Promise<Record<string, unknown> | undefined> {
  let cursor: string | undefined
  do {
    const page = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer = await world.api.call('GET', `/admin/records?agent=${world.agent.id}&limit=200${page}`)
    expect(answer.status, answer.text).toBe(200)
    const found = answer.body.items.find(({ id }: { id: string }) => id === decisionId)
    if (found !== undefined) return found
    cursor = answer.body.next_cursor
  } while (cursor !== undefined)
  return undefined
}

/** Calls the admin API and expects it to do what it was asked. */
export async function administer(world: World, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await world.api.call(method, path, body)
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300)
  return answer
}

/** The access token of an exchange that must succeed. */
export async function issued(exchange: Promise<Answer>): Promise<string> {
  const answer = await exchange
  expect(answer.status, answer.text).toBe(200)
  return answer.body.access_token
}

/** A time as the admin API takes it. Unit: seconds since the epoch. */
export const timestamp = (seconds: number) => seconds
