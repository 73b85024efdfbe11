import { z } from 'zod'
import { readConstraint } from '../../core/delegation/constraint.ts'
import { phrase } from '../../core/delegation/explain/phrase.ts'
import type { JsonValue } from '../../core/json.ts'
import { visible } from '../../core/visible.ts'
import { moment } from '../output/moment.ts'
import { type Paint, paintStatus } from '../output/paint.ts'

/** What of a delegation is drawn. */
export const ShownNode = z.object({
  id: z.string(),
  parent: z.string().optional(),
  depth: z.number().int().min(0).max(64),
  agent: z.string(),
  agent_status: z.string(),
  status: z.string(),
  in_force: z.boolean(),
  expires_at: z.number(),
  authorization_details: z.array(z.record(z.string(), z.json())),
})
export type ShownNode = z.infer<typeof ShownNode>

/** Longest summary of one bound. Unit: UTF-16 units. */
const MAX_SUMMARY = 200

/**
 * Draws a delegation and what was given on from it. The nodes come as the API lists them: each followed by its own children.
 */
export function drawTree(nodes: readonly ShownNode[], { paint, now }: { paint: Paint; now: Date }): string[] {
  return nodes.flatMap((node, n) => {
    const rest = nodes.slice(n + 1)
    // A line goes on at a level while another node of that level follows before one nearer to the root.
    const goesOn = (depth: number) => rest.find((next) => next.depth <= depth)?.depth === depth
    const trunk = Array.from({ length: Math.max(0, node.depth - 1) }, (_, i) => (goesOn(i + 1) ? '│  ' : '   ')).join(
      '',
    )
    const branch = node.depth === 0 ? '' : goesOn(node.depth) ? '├─ ' : '└─ '
    const below = node.depth === 0 ? '' : goesOn(node.depth) ? '│  ' : '   '
    const hasChildren = rest[0] !== undefined && rest[0].depth > node.depth
    const indent = `${trunk}${below}${hasChildren ? '│' : ' '}    `
    const head = [
      paint('bold', visible(node.agent)),
      paintStatus(paint, stateOf(node, now)),
      `until ${moment(node.expires_at, now)}`,
      paint('dim', visible(node.id)),
    ]
    return [
      `${trunk}${branch}${head.join('  ')}`,
      ...node.authorization_details.map((bound) => indent + summary(bound)),
    ]
  })
}

/** Its own state first; then why it is of no use all the same. */
function stateOf({ status, agent_status, in_force, expires_at }: ShownNode, now: Date): string {
  if (status !== 'active') return visible(status)
  if (expires_at * 1_000 <= now.getTime()) return 'expired'
  if (agent_status !== 'active') return `agent ${visible(agent_status)}`
  return in_force ? 'active' : 'not in force'
}

/** A bound in one line. */
function summary({ type, locations, ...members }: Readonly<Record<string, JsonValue>>): string {
  const parts = Object.entries(members).map(([name, json]) => `${visible(name)} ${phrase(readConstraint(json))}`)
  const place = Array.isArray(locations) ? ` at ${locations.map((one) => visible(String(one))).join(', ')}` : ''
  const text = `${visible(String(type))}${place}: ${parts.join('; ') || 'no members'}`
  return text.length > MAX_SUMMARY ? `${text.slice(0, MAX_SUMMARY - 1)}…` : text
}
