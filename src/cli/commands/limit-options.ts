import type { Command } from 'commander'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { usageError } from '../cli-error.ts'
import { collect, parseWhole } from '../input/parse-when.ts'
import { readJsonFile } from '../input/read-text.ts'
import type { Io } from '../io.ts'
import { NotationError, pointAt } from '../notation/notation-error.ts'
import { readDelegable, readRate, readSum, type WrittenDelegable } from '../notation/read-limits.ts'

/** How limits are written on a command line. */
export interface LimitOptions {
  readonly maxUses?: number
  readonly rate?: readonly string[]
  readonly sum?: readonly string[]
  readonly limits?: string
}

/** The help of the options, below. */
export const LIMITS_HELP = `
The notation of limits:
  --max-uses 100                so often, and never again
  --rate 10/60s                 at most ten in any sixty seconds; windows are 60s, 5m, 1h, 30d
  --sum 'amount<=500.00'        the member added up over all actions, exactly
  --sum 'instructedAmount.amount<=500.00 per instructedAmount.currency in 30d'
                                each currency for itself, in any thirty days`

/** Declares `--max-uses`, `--rate`, `--sum` and `--limits`. */
export const addLimitOptions = (command: Command): Command =>
  command
    .option('--max-uses <n>', 'how often at all', parseWhole(1, 1_000_000_000))
    .option('--rate <uses/window>', 'how often in any window, such as 10/60s; may be repeated', collect)
    .option('--sum <member<=amount>', 'how much, in the notation below; may be repeated', collect)
    .option('--limits <file>', 'all limits as JSON instead (docs/limits.md); - for standard input')

/** What is written of limits, as members of the API; undefined: nothing. */
export async function readLimits(io: Io, options: LimitOptions): Promise<JsonObject | undefined> {
  const { maxUses, rate, sum, limits: file } = options
  const isWritten = maxUses !== undefined || rate !== undefined || sum !== undefined
  if (file !== undefined) {
    if (isWritten) throw usageError('--limits has all limits, and others are named beside it', 'say one of both')
    const json = await readJsonFile(io, file)
    if (isJsonObject(json)) return json
    throw usageError(`--limits: ${file} must hold a JSON object`, 'such as {"max_uses": 100}; docs/limits.md has more')
  }
  if (!isWritten) return undefined
  return {
    ...(maxUses !== undefined && { max_uses: maxUses }),
    ...(rate !== undefined && { rates: rate.map((text) => ({ ...located('--rate', text, readRate) })) }),
    ...(sum !== undefined && { sums: sum.map((text) => ({ ...located('--sum', text, readSum) })) }),
  }
}

/** The same as a merge patch: what a file says is all that there is to be, what an option says is changed alone. */
export async function patchLimits(io: Io, options: LimitOptions): Promise<JsonObject | undefined> {
  const limits = await readLimits(io, options)
  return limits === undefined || options.limits === undefined
    ? limits
    : { max_uses: null, rates: null, sums: null, ...limits }
}

/** `--delegable` as a member of the API. */
export const parseDelegable = (text: string): WrittenDelegable => located('--delegable', text, readDelegable)

/** Says where in the notation it went wrong. */
function located<T>(option: string, text: string, read: (text: string) => T): T {
  try {
    return read(text)
  } catch (error) {
    if (!(error instanceof NotationError)) throw error
    const mend = option === '--delegable' ? 'such as 2, or 2:helper,runner' : 'the notation: docs/limits.md'
    throw usageError(`${option}: ${error.message}`, mend, pointAt(text, error.at))
  }
}

/** The member itself, left out where nothing is written. */
export async function limitsMember(written: Promise<JsonObject | undefined>): Promise<{ limits?: JsonObject }> {
  const limits = await written
  return limits === undefined ? {} : { limits }
}
