import { createHash } from 'node:crypto'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import type { StoredAnswer } from '../../commands/admin/registered.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'
import type { Answer, Exchange } from './route.ts'

/** Reads `Idempotency-Key`: absent, or one of 1 to 255 printable ASCII characters. */
export function readIdempotencyKey(request: Parameters<typeof headerValues>[0]): string | undefined | Refusal {
  const values = headerValues(request, 'idempotency-key')
  const [key] = values
  if (key === undefined) return undefined
  return values.length === 1 && /^[\x20-\x7e]{1,255}$/.test(key)
    ? key
    : refuse('request_malformed', '"Idempotency-Key" must be one of 1 to 255 printable ASCII characters')
}

/**
 * Runs a change so that a repeat with the same `Idempotency-Key` gets the same answer and changes nothing.
 *
 * The answer, or `toKeep` in its place where it holds a secret, is kept in the transaction of the change: whatever dies
 * when, either both are there or neither. A request that changed nothing gives its key back.
 */
export async function onceOnly<Outcome>(
  exchange: Exchange,
  run: (change: ChangeCall<Outcome>['change']) => Promise<Outcome | Refusal>,
  toAnswer: (outcome: Outcome) => Answer,
  toKeep?: (outcome: Outcome) => Answer,
): Promise<Answer | Refusal> {
  const { registry, now } = exchange.ports
  const key = exchange.idempotencyKey
  if (key === undefined) {
    const outcome = await run(registry.change)
    return isRefusal(outcome) ? outcome : toAnswer(outcome)
  }
  const request = { client: exchange.administrator.clientId, key, requestHash: requestHash(exchange) }
  const claim = await registry.idempotency.claim(request, now())
  if (isRefusal(claim)) return claim
  if ('status' in claim) return repeated(claim)

  let given: Answer | undefined
  try {
    const outcome = await run((work) =>
      registry.change(async (writer) => {
        const result = await work(writer)
        if (isRefusal(result)) return result
        given = toAnswer(result)
        const { status, body, location } = toKeep?.(result) ?? given
        // Whoever took the key over serves the request; what was done here is rolled back.
        return (await writer.completeIdempotencyKey(claim, { status, body, location }))
          ? result
          : refuse('idempotency_key_in_progress', 'another request with this "Idempotency-Key" is in progress')
      }),
    )
    if (isRefusal(outcome)) await registry.idempotency.release(claim)
    return isRefusal(outcome) ? outcome : (given ?? toAnswer(outcome))
  } catch (fault) {
    // Where even this fails the lease runs out; the fault is what the caller hears of.
    await registry.idempotency.release(claim).catch(() => undefined)
    throw fault
  }
}

const repeated = ({ status, body, location }: StoredAnswer): Answer => ({ status, body, location, isRepeated: true })

const requestHash = ({ method, path, query, body }: Exchange): string =>
  createHash('sha256').update(`${method} ${path}?${query}\n`).update(body.bytes).digest('base64url')
