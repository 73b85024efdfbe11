import { describe, expect, test } from 'vitest'
import { DelegableDocument, delegableTo } from '../../../src/core/delegation/delegable.ts'
import type { ChainedDelegation, Delegable } from '../../../src/core/delegation/delegation.ts'
import { isRefusal } from '../../../src/core/refusal.ts'

/** A chain of agents a, b, c, …, each with its own word on how far it may go. */
function chain(...words: readonly Delegable[]): ChainedDelegation {
  const link = (delegable: Delegable, n: number): ChainedDelegation => ({
    ...{ id: `d${n}`, agentId: 'abcdefghij'[n] ?? '', authorizationDetails: [], delegable, status: 'active' },
    agent: { id: 'abcdefghij'[n] ?? '', status: 'active', version: 1 },
    ...{ principal: { id: 'alice', status: 'active' }, approval: { mode: 'none' } },
    ...{ expiresAt: new Date(9e12), lineage: [], ancestors: [] },
  })
  const links = words.map(link)
  return { ...(links.at(-1) as ChainedDelegation), ancestors: links.slice(0, -1) }
}
const depth = (maxDepth: number, ...agents: readonly string[]): Delegable => ({
  maxDepth,
  ...(agents.length > 0 && { agents }),
})
const outcome = (parent: ChainedDelegation, actor: string, wanted?: Delegable) => {
  const found = delegableTo(parent, actor, wanted)
  return isRefusal(found) ? found.member : found
}

describe('delegableTo', () => {
  test.each<[string, ChainedDelegation, string, Delegable | undefined, Delegable | string]>([
    ['not at all', chain(depth(0)), 'z', undefined, 'delegable.max_depth'],
    ['once', chain(depth(1)), 'z', undefined, depth(0)],
    ['once, and the child again', chain(depth(1)), 'z', depth(1), 'delegable.max_depth'],
    ['twice, and the child once', chain(depth(2)), 'z', depth(1), depth(1)],
    ['a parent that says more than its own', chain(depth(1), depth(5)), 'z', undefined, 'delegable.max_depth'],
    ['a grandparent that says enough', chain(depth(3), depth(2)), 'z', depth(1), depth(1)],
    ['itself', chain(depth(3)), 'a', undefined, 'actor_token'],
    ['a circle', chain(depth(3), depth(2)), 'a', undefined, 'actor_token'],
    ['to one that is named', chain(depth(2, 'z')), 'z', depth(1), depth(1, 'z')],
    ['to one that is not', chain(depth(2, 'y')), 'z', undefined, 'delegable.agents'],
    ['to one that the grandparent does not name', chain(depth(3, 'b'), depth(2)), 'z', undefined, 'delegable.agents'],
    ['naming fewer', chain(depth(2, 'y', 'z')), 'z', depth(1, 'y'), depth(1, 'y')],
    ['naming another', chain(depth(2, 'z')), 'z', depth(1, 'x'), 'delegable.agents'],
    ['naming anyone where the parent does not', chain(depth(2)), 'z', depth(1, 'x'), depth(1, 'x')],
    ['the eighth of a chain', chain(...Array(7).fill(depth(9))), 'z', undefined, depth(0)],
    ['the eighth, and once more', chain(...Array(7).fill(depth(9))), 'z', depth(1), 'delegable.max_depth'],
    ['the ninth', chain(...Array(8).fill(depth(9))), 'z', undefined, 'delegable.max_depth'],
  ])('%s', (_name, parent, actor, wanted, expected) => {
    expect(outcome(parent, actor, wanted)).toEqual(expected)
  })
})

test.each<[unknown, boolean]>([
  [{ max_depth: 0 }, true],
  [{ max_depth: 7, agents: ['a'] }, true],
  [{ max_depth: 8 }, false],
  [{ max_depth: -1 }, false],
  [{ max_depth: 1.5 }, false],
  [{ max_depth: 1, agents: [] }, false],
  [{ max_depth: 1, agents: ['a', 'a'] }, false],
  [{ max_depth: 1, agents: ['A'] }, false],
  [{ max_depth: 1, more: 1 }, false],
  [{ agents: ['a'] }, false],
])('the document %j: %s', (document, isGood) => {
  expect(DelegableDocument.safeParse(document).success).toBe(isGood)
})
