import { actionMismatch } from '../../../src/core/action/match.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { serveWork, type Work } from '../harness/serve-work.ts'
import { SHAPES, shapeName } from './match-shapes.ts'

/** An action of so many members that together are so long; parsed anew, so that no two of them share a string. */
function makeAction({ members, bytes }: { readonly members: number; readonly bytes: number }): JsonObject {
  const each = Math.max(1, Math.floor(bytes / members) - 12)
  const entries = Array.from({ length: members }, (_, i) => [`member${i}`, String(i % 10).repeat(each)] as const)
  return JSON.parse(
    JSON.stringify({ ...Object.fromEntries(entries), type: 'bench', locations: ['https://mail.example'] }),
  )
}

/** Of the action type, as every caller has it: one object. */
const DIGESTIBLE = {}

serveWork(
  Object.fromEntries(
    SHAPES.map((shape): [string, Work] => {
      const [actual, authorized] = [makeAction(shape), makeAction(shape)]
      const changed = { ...actual, [`member${shape.members - 1}`]: 'another' }
      let count = 0
      return [
        shapeName(shape),
        {
          prepare: (n) => {
            count = n
          },
          run: () => {
            for (let i = 0; i < count; i++) {
              if (actionMismatch(actual, authorized, DIGESTIBLE) !== undefined)
                throw new Error('an equal action did not match')
            }
            if (actionMismatch(changed, authorized, DIGESTIBLE) === undefined) throw new Error('another action matched')
          },
        },
      ]
    }),
  ),
)
