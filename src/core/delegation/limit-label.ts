/** Whose limit it can be, as it is said to an agent. */
export type LimitOf = 'delegation' | 'agent' | 'resource'

/** Which limit an agent was told it has reached. */
export interface ReachedLimit {
  readonly of: LimitOf
  readonly rule: 'max_uses' | 'rate' | 'sum'
  /** Of a rate: so many uses in so many seconds. */
  readonly maxUses?: number
  readonly seconds?: number
  /** Of a sum: what is added up. */
  readonly member?: string
}

const REACHED = 'limit reached: '

/** What is said of a limit that is reached; it names the rule and whose it is, never what is left of it. */
export const reachedLabel = (rule: string, of: string): string => `${REACHED}${rule} of the ${of}`
export const MAX_USES = 'max_uses'
export const rateName = (maxUses: number, seconds: number): string => `${maxUses} in ${seconds} s`
export const sumName = (member: string): string => `the sum of ${member}`

/** Whether a description says that a limit is reached. */
export const saysLimitReached = (description: string): boolean => description.startsWith(REACHED)

const LABEL =
  /^limit reached: (?:(max_uses)|([0-9]+) in ([0-9]+) s|the sum of (\S+)) of the (delegation|agent|resource)\b/

/** Reads a label back, with or without a member behind it; undefined for a limit of another kind. */
export function readReachedLabel(description: string): ReachedLimit | undefined {
  const [, uses, maxUses, seconds, member, of] = LABEL.exec(description) ?? []
  if (of === undefined) return undefined
  const whose = { of: of as LimitOf }
  if (uses !== undefined) return { ...whose, rule: 'max_uses' }
  if (member !== undefined) return { ...whose, rule: 'sum', member }
  return { ...whose, rule: 'rate', maxUses: Number(maxUses), seconds: Number(seconds) }
}
