import { z } from 'zod'
import { explainLimits, ShownLimits } from '../../core/delegation/explain/explain-limits.ts'
import { jsonText, visible } from '../../core/visible.ts'
import type { Item } from '../connection/pages.ts'
import { instant, moment, timeOf } from './moment.ts'
import { type Paint, paintStatus } from './paint.ts'

/** A member of an item of the API, as text for people; a missing one is empty. */
export function text(item: Item, member: string): string {
  const value = item[member]
  if (value === undefined || value === null) return ''
  if (TIME.test(member) && timeOf(value) !== undefined) return instant(value)
  return typeof value === 'string' ? visible(value) : visible(jsonText(value, 0))
}

/** Members that hold a time. */
const TIME = /^(?:at|not_before|.*_at)$/
const Key = z.object({
  kid: z.string(),
  label: z.string().optional(),
  status: z.string(),
  expires_at: z.number().optional(),
})

/** All members of an item, one a line, in the order of the API. */
export function fields(item: Item, paint: Paint, now: Date): string[] {
  const names = Object.keys(item).filter((name) => item[name] !== undefined)
  const width = Math.max(...names.map((name) => name.length))
  return names.flatMap((name) => {
    const [first = '', ...more] = valueLines(name, item[name], paint, now)
    const indent = ' '.repeat(width + 2)
    return [`${paint('cyan', visible(name).padEnd(width))}  ${first}`, ...more.map((line) => indent + line)]
  })
}

function valueLines(name: string, value: unknown, paint: Paint, now: Date): string[] {
  if (name === 'status') return [paintStatus(paint, visible(String(value)))]
  if (TIME.test(name) && timeOf(value) !== undefined) return [moment(value, now)]
  if (name === 'limits') {
    const limits = ShownLimits.safeParse(value)
    if (limits.success) return explainLimits(limits.data).map(({ rule, left }) => `${rule}: ${left}`)
  }
  if (typeof value === 'string') return value.split('\n').map(visible)
  if (Array.isArray(value)) {
    if (value.length === 0) return ['none']
    const keys = z.array(Key).safeParse(value)
    if (keys.success) return keys.data.map((key) => keyLine(key, now))
    if (value.every((item) => typeof item === 'string')) return [visible(value.join(', '))]
  }
  return jsonText(value).split('\n')
}

const keyLine = ({ kid, label, status, expires_at }: z.infer<typeof Key>, now: Date) =>
  [
    visible(kid),
    label === undefined ? '' : `“${visible(label)}”`,
    status,
    expires_at === undefined ? '' : `until ${moment(expires_at, now)}`,
  ]
    .filter((part) => part !== '')
    .join('  ')
