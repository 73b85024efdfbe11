import { z } from 'zod'
import { Limits } from '../../core/delegation/limits.ts'
import type { Remaining } from '../../core/delegation/remaining.ts'
import type { JsonObject } from '../../core/json.ts'

/** What is left of limits, as the API shows it; members as those of the limits. */
const ShownRemaining = z
  .object({
    max_uses: z.int().optional(),
    rates: z.array(z.object({ seconds: z.int(), max_uses: z.int() })).optional(),
    sums: z
      .array(
        z.object({
          ...{ member: z.string(), per: z.string().optional() },
          value: z.string().describe('Of "per"; a value that is not here has the whole "max".').optional(),
          ...{ seconds: z.int().optional(), max: z.string() },
        }),
      )
      .optional(),
  })
  .meta({ id: 'RemainingLimits' })

/** Limits as they were written, and what is left of them now. */
export const ShownLimits = z
  .object({ ...Limits.shape, remaining: ShownRemaining.describe('At this moment; counting changes no "ETag".') })
  .meta({ id: 'Limits' })

/** Whatever has limits. */
interface Limited {
  readonly limits?: Limits | null
  readonly remaining?: Remaining
}

/** Undefined where there are none. */
export const limitsView = ({ limits, remaining }: Limited) =>
  limits === undefined || limits === null ? undefined : { ...limits, remaining: remaining ?? {} }

/** Limits without a rule are none. */
export const limitsMember = (limits: Limits | undefined): Limits | null =>
  limits === undefined || Object.values(limits).every((rules) => rules === undefined) ? null : limits

/** The same as a member of a document that a merge patch goes into. */
export const limitsDocument = (limits: Limits | null): JsonObject | null =>
  // What was parsed of JSON, and is stored as JSON.
  limits as JsonObject | null
