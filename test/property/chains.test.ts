import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chargesAlong } from '../../src/commands/authority.ts'
import { judgeAction } from '../../src/commands/judge-action.ts'
import { type Action, parseAction } from '../../src/core/action/parse-action.ts'
import type { Resource } from '../../src/core/action/resource.ts'
import { type Bound, parseBound } from '../../src/core/delegation/bound.ts'
import { delegableTo, MAX_CHAIN } from '../../src/core/delegation/delegable.ts'
import type { ChainedDelegation, Delegable } from '../../src/core/delegation/delegation.ts'
import { downstreamRule } from '../../src/core/delegation/downstream.ts'
import type { Limits } from '../../src/core/delegation/limits.ts'
import { widening } from '../../src/core/delegation/widening.ts'
import { boundsWithin } from '../../src/core/delegation/within.ts'
import { type JsonObject, type JsonValue, jsonEquals } from '../../src/core/json.ts'
import { decide } from '../../src/core/policy/decide.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import type { Directory } from '../../src/ports.ts'
import { RESOURCE, typeOf } from '../core/action/fixtures.ts'
import { anyConstraint, childOf, type Draw, drawFrom, pick, valueFor } from './constraints.ts'

const NOW = new Date('2026-12-01T00:00:00Z')
const free = { type: ['object', 'array', 'string', 'number', 'boolean', 'null'], 'x-free-form': true } as const
const TYPE = typeOf({ a: free, b: free, c: free, amount: { type: 'string', maxLength: 40 } })
const AMOUNTS = ['0.50', '1', '2', '3.25']
const PLACE: Resource = {
  ...{ id: 'mail', identifier: RESOURCE, status: 'active', version: 1, actionTypes: 'all', tokenContent: 'full' },
}

const below = (draw: Draw, n: number) => Math.floor(draw() * n)
const chance = (draw: Draw, percent: number) => draw() * 100 < percent

function parsedBounds(written: readonly JsonValue[]): readonly Bound[] | undefined {
  const bounds = written.map((bound) => parseBound(bound, TYPE, { resource: RESOURCE }))
  return bounds.every((bound): bound is Bound => !isRefusal(bound)) ? bounds : undefined
}

/** A node of a tree, as it changes; a frozen look at it with its ancestors is what the core decides on. */
interface Node {
  readonly id: string
  readonly agent: string
  readonly parent: Node | undefined
  readonly bounds: readonly JsonValue[]
  readonly limits: Limits | undefined
  readonly delegable: Delegable
  readonly expiresAt: Date
  status: 'active' | 'revoked'
}
interface Tree {
  readonly nodes: readonly Node[]
  readonly agents: Map<string, 'active' | 'suspended'>
}

const lineage = (node: Node): readonly Node[] => (node.parent === undefined ? [node] : [...lineage(node.parent), node])

function look(node: Node, agents: Tree['agents']): ChainedDelegation {
  const ancestors = lineage(node).slice(0, -1)
  const link = ({ id, agent, bounds, limits, delegable, expiresAt, status }: Node): ChainedDelegation => ({
    ...{ id, agentId: agent, delegable, expiresAt, status, resource: RESOURCE, authorizationDetails: bounds },
    ...(limits !== undefined && { limits }),
    agent: { id: agent, status: agents.get(agent) ?? 'active', version: 1 },
    ...{ principal: { id: 'alice', status: 'active' }, approval: { mode: 'none' } },
    lineage: lineage(node).map((one) => one.id),
    ancestors: [],
  })
  return { ...link(node), ancestors: ancestors.map(link) }
}

function anyBound(draw: Draw): JsonObject {
  const names = ['a', 'b', 'c'].filter(() => chance(draw, 45))
  const amount = pick<JsonObject | string>(draw, { $max: '2' }, { $max: '3.25' }, { $in: ['0.50', '2'] })
  return { type: TYPE.type, amount, ...Object.fromEntries(names.map((name) => [name, anyConstraint(draw, 1)])) }
}
function narrowed(draw: Draw, bound: JsonValue): JsonObject {
  const { type, ...members } = bound as JsonObject
  const entries = Object.entries(members).map(([name, v]) => [name, chance(draw, 60) ? v : childOf(draw, v)] as const)
  return { type: type as string, ...Object.fromEntries(entries) }
}
function anyLimits(draw: Draw): Limits | undefined {
  if (chance(draw, 50)) return undefined
  return chance(draw, 50)
    ? { max_uses: 1 + below(draw, 5) }
    : { sums: [{ member: 'amount', max: pick(draw, '2', '5', '7.50') }] }
}
function anyDelegable(draw: Draw, agents: readonly string[], max: number): Delegable {
  const named = agents.filter(() => chance(draw, 70))
  const maxDepth = below(draw, max + 1)
  return { maxDepth, ...(chance(draw, 30) && named.length > 0 && { agents: named }) }
}

/** A tree in which every node was let in by the core, as sub-delegation lets it in. */
function grow(draw: Draw): { readonly tree: Tree; readonly refused: number } | undefined {
  const pool = Array.from({ length: 9 }, (_, n) => `agent-${n}`)
  const root: Node = {
    ...{ id: 'n0', agent: 'agent-0', parent: undefined, status: 'active' },
    bounds: [anyBound(draw), ...(chance(draw, 50) ? [anyBound(draw)] : [])],
    ...{ limits: anyLimits(draw), delegable: anyDelegable(draw, pool, MAX_CHAIN - 1) },
    expiresAt: new Date(NOW.getTime() + 100_000),
  }
  if (parsedBounds(root.bounds) === undefined) return undefined
  const nodes: Node[] = [root]
  const agents: Tree['agents'] = new Map(pool.map((agent) => [agent, 'active']))
  let refused = 0
  for (let n = 1; n < 14; n++) {
    const parent = nodes[below(draw, nodes.length)] as Node
    const actor = pool[below(draw, pool.length)] as string
    const delegable = delegableTo(look(parent, agents), actor, anyDelegable(draw, pool, 3))
    const bounds = parent.bounds.map((bound) => narrowed(draw, bound)).slice(0, 1 + below(draw, 2))
    const [children, parents] = [parsedBounds(bounds), parsedBounds(parent.bounds)]
    if (isRefusal(delegable) || !children || !parents || widening(children, parents) !== undefined) {
      refused++
      continue
    }
    const node = { id: `n${n}`, agent: actor, parent, bounds, limits: anyLimits(draw), delegable }
    nodes.push({ ...node, expiresAt: new Date(parent.expiresAt.getTime() - below(draw, 3)), status: 'active' })
  }
  return { tree: { nodes, agents }, refused }
}

const directory: Directory = {
  client: async () => undefined,
  delegation: async () => undefined,
  resource: async (identifier) => (identifier === RESOURCE ? PLACE : undefined),
  actionType: async (name) => (name === TYPE.type ? { actionType: TYPE, status: 'active' } : undefined),
  downstream: async () => undefined,
  instance: async () => undefined,
}

const judge = (node: Node, { agents }: Tree, details: JsonObject) =>
  judgeAction({ directory }, look(node, agents), { resource: RESOURCE, element: details }, 'fresh', NOW)

/** An action that has a chance at the bounds of a node. */
function actionFor(draw: Draw, node: Node): JsonObject {
  const { type, amount: _, ...members } = node.bounds[below(draw, node.bounds.length)] as JsonObject
  const entries = Object.entries(members).map(([name, constraint]) => [name, valueFor(draw, constraint)] as const)
  return { type: type as string, amount: pick(draw, ...(AMOUNTS as [string])), ...Object.fromEntries(entries) }
}

const allows = ({ bounds }: Node, action: Action) =>
  decide(action, parsedBounds(bounds) ?? [], RESOURCE).effect === 'permit'

/** What the rules of the trees' limits count, kept as the commit keeps it: all of an action or nothing. */
function counter() {
  const used = new Map<string, number>()
  return (node: Node, { agents }: Tree, action: Action): boolean => {
    const charges = chargesAlong(look(node, agents), PLACE, action, true)
    if (isRefusal(charges)) return false
    const keyed = charges.map((charge) => ({
      ...charge,
      key: `${charge.owner.kind}:${charge.owner.id} ${charge.rule}`,
    }))
    if (keyed.some(({ key, amount, max }) => (used.get(key) ?? 0) + Number(amount) > Number(max))) return false
    for (const { key, amount } of keyed) used.set(key, (used.get(key) ?? 0) + Number(amount))
    return true
  }
}

describe('laws of chains', () => {
  test('no accepted action exceeds any ancestor: its bounds, its limits, its end, its state', async () => {
    let accepted = 0
    let deep = 0
    let narrower = 0
    let overLimit = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const draw = drawFrom(seed)
        const grown = grow(draw)
        if (grown === undefined) return
        const { tree } = grown
        const count = counter()
        const taken: { readonly node: Node; readonly action: Action }[] = []
        for (let step = 0; step < 12; step++) {
          const node = tree.nodes[below(draw, tree.nodes.length)] as Node
          // In between, something is ended or stopped, and goes on again.
          if (chance(draw, 8)) node.status = 'revoked'
          if (chance(draw, 8)) tree.agents.set(node.agent, chance(draw, 50) ? 'suspended' : 'active')
          const judged = await judge(node, tree, actionFor(draw, node))
          if (judged.refusal !== undefined) continue
          if (!count(node, tree, judged.action)) {
            overLimit++
            continue
          }
          taken.push({ node, action: judged.action })
          for (const above of lineage(node)) {
            expect(allows(above, judged.action), JSON.stringify([above.bounds, judged.action.details])).toBe(true)
            expect([above.status, tree.agents.get(above.agent), above.expiresAt > NOW]).toEqual([
              'active',
              'active',
              true,
            ])
          }
          accepted++
          if (lineage(node).length > 2) deep++
          if (node.parent !== undefined && !jsonEquals(node.bounds, node.parent.bounds)) narrower++
        }
        // Counted anew, from what was accepted alone: by every node, all that was done below it.
        for (const node of tree.nodes) {
          const below = taken.filter((one) => lineage(one.node).includes(node))
          expect(below.length).toBeLessThanOrEqual(node.limits?.max_uses ?? Number.POSITIVE_INFINITY)
          const total = below.reduce((sum, { action }) => sum + Number(action.details.amount), 0)
          expect(total).toBeLessThanOrEqual(Number(node.limits?.sums?.[0]?.max ?? Number.POSITIVE_INFINITY))
        }
      }),
      { numRuns: 4_000 },
    )
    // A law whose premise never holds proves nothing.
    expect(accepted).toBeGreaterThan(4_000)
    expect(deep).toBeGreaterThan(400)
    expect(narrower).toBeGreaterThan(400)
    expect(overLimit).toBeGreaterThan(400)
  })

  test.each(['revoke', 'suspend'] as const)(
    '%s any node -> every descendant is refused, and nothing else is',
    async (verb) => {
      let ended = 0
      let untouched = 0
      await fc.assert(
        fc.asyncProperty(fc.integer(), async (seed) => {
          const draw = drawFrom(seed)
          const grown = grow(draw)
          if (grown === undefined) return
          const { tree } = grown
          const actions = tree.nodes.map((node) => actionFor(draw, node))
          const before = await Promise.all(tree.nodes.map((node, n) => judge(node, tree, actions[n] as JsonObject)))
          const victim = tree.nodes[below(draw, tree.nodes.length)] as Node
          if (verb === 'revoke') victim.status = 'revoked'
          else tree.agents.set(victim.agent, 'suspended')
          const isHit = (node: Node) =>
            lineage(node).some((above) => (verb === 'revoke' ? above === victim : above.agent === victim.agent))
          for (const [n, node] of tree.nodes.entries()) {
            const after = await judge(node, tree, actions[n] as JsonObject)
            if (isHit(node)) {
              expect(after.refusal?.code).toBe(verb === 'revoke' ? 'delegation_inactive' : 'actor_inactive')
              if (before[n]?.refusal === undefined) ended++
            } else {
              expect(after.refusal?.code).toBe(before[n]?.refusal?.code)
              if (after.refusal === undefined) untouched++
            }
          }
        }),
        { numRuns: 2_000 },
      )
      expect(ended).toBeGreaterThan(500)
      expect(untouched).toBeGreaterThan(500)
    },
  )

  test('nobody stands in a chain twice, none is longer than 8, none deeper or to others than any ancestor says', () => {
    let grownNodes = 0
    let refusals = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const grown = grow(drawFrom(seed))
        if (grown === undefined) return
        refusals += grown.refused
        for (const node of grown.tree.nodes) {
          const chain = lineage(node)
          grownNodes++
          expect(chain.length).toBeLessThanOrEqual(MAX_CHAIN)
          expect(new Set(chain.map(({ agent }) => agent)).size).toBe(chain.length)
          for (const [depth, above] of chain.entries()) {
            const under = chain.slice(depth + 1)
            expect(under.length + node.delegable.maxDepth).toBeLessThanOrEqual(above.delegable.maxDepth)
            if (above.delegable.agents === undefined) continue
            for (const { agent } of under) expect(above.delegable.agents).toContain(agent)
          }
        }
      }),
      { numRuns: 4_000 },
    )
    expect(grownNodes).toBeGreaterThan(8_000)
    expect(refusals).toBeGreaterThan(4_000)
  })

  test('what is said to be wider names a member where the decision alone says no, and nothing where it says yes', () => {
    let named = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const written = [anyBound(draw), anyBound(draw)]
        const [parents, children] = [parsedBounds(written), parsedBounds(written.map((bound) => narrowed(draw, bound)))]
        if (!parents || !children) return
        const gap = widening(children, parents)
        expect(gap === undefined).toBe(boundsWithin(children, parents) === undefined)
        if (gap === undefined) return
        expect(gap.member).toMatch(/^authorization_details\[[01]\]\.[abc]|amount/)
        named++
      }),
      { numRuns: 4_000 },
    )
    expect(named).toBeGreaterThan(500)
  })

  test('a downstream rule lets through only what one rule names for that very action', () => {
    let letThrough = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const there = 'https://next.example'
        const rules = Array.from({ length: 1 + below(draw, 3) }, (_, n) => ({
          ...{ id: `r${n}`, from: anyBound(draw), toResource: pick(draw, there, there, 'https://other.example') },
          ...{ authorizationDetails: [anyBound(draw)], maxPerToken: 1 },
        }))
        const chosen = rules[below(draw, rules.length)] ?? rules[0]
        const other = rules[below(draw, rules.length)] ?? rules[0]
        const node = (bounds: readonly JsonValue[]) => ({ bounds }) as unknown as Node
        const incoming = parseAction(actionFor(draw, node([chosen?.from ?? null])), TYPE, RESOURCE)
        const wanted = parseAction(actionFor(draw, node(other?.authorizationDetails ?? [])), TYPE, there)
        if (isRefusal(incoming) || isRefusal(wanted)) return
        const found = downstreamRule(
          rules,
          { action: incoming, resource: RESOURCE },
          { action: wanted, resource: there },
        )
        const fitting = rules.filter(({ from, toResource, authorizationDetails }) => {
          const [before, after] = [[from], authorizationDetails].map((written, n) =>
            written.map((bound) => parseBound(bound, TYPE, { resource: n === 0 ? RESOURCE : there })),
          )
          const isPermitted = (
            bounds: readonly (Bound | { code: string })[] | undefined,
            action: Action,
            place: string,
          ) =>
            decide(
              action,
              (bounds ?? []).filter((bound): bound is Bound => !isRefusal(bound)),
              place,
            ).effect === 'permit'
          return toResource === there && isPermitted(before, incoming, RESOURCE) && isPermitted(after, wanted, there)
        })
        if (isRefusal(found)) expect(fitting).toEqual([])
        else {
          expect(found).toBe(fitting[0])
          letThrough++
        }
      }),
      { numRuns: 4_000 },
    )
    expect(letThrough).toBeGreaterThan(200)
  })
})
