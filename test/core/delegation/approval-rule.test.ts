import { describe, expect, test } from 'vitest'
import {
  ApprovalDocument,
  type ApprovalRule,
  approvalColumn,
  approversOf,
  readApprovalColumn,
} from '../../../src/core/delegation/approval-rule.ts'

const BOUND = { type: 'email_send', to: ['bob@example.com'] }
const many = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`)

describe('an approval rule', () => {
  test.each<[string, unknown, ApprovalRule]>([
    ['a bare mode', 'each', { mode: 'each' }],
    ['a bare none', 'none', { mode: 'none' }],
    ['a mode alone', { mode: 'each' }, { mode: 'each' }],
    ['outside with bounds', { mode: 'outside', outside: [BOUND] }, { mode: 'outside', outside: [BOUND] }],
    [
      'approvers and as many of them as there are',
      { mode: 'each', approvers: ['ann', 'ben'], threshold: 2 },
      { mode: 'each', approvers: ['ann', 'ben'], threshold: 2 },
    ],
    ['twenty approvers', { mode: 'each', approvers: many(20) }, { mode: 'each', approvers: many(20) }],
  ])('%s is read', (_, written, rule) => {
    expect(ApprovalDocument.parse(written)).toStrictEqual(rule)
  })

  test.each<[string, unknown, string]>([
    ['an unknown mode', 'sometimes', 'mode'],
    ['a bare outside', 'outside', 'outside'],
    ['no mode', { approvers: ['ann'] }, 'mode'],
    ['null', null, ''],
    ['an array', [], ''],
    ['a number', 1, ''],
    ['an unknown member', { mode: 'each', until: 1 }, ''],
    ['outside without bounds', { mode: 'outside' }, 'outside'],
    ['outside with none', { mode: 'outside', outside: [] }, 'outside'],
    ['outside with too many', { mode: 'outside', outside: Array(33).fill(BOUND) }, 'outside'],
    ['bounds of no use', { mode: 'each', outside: [BOUND] }, 'outside'],
    ['no approvers', { mode: 'each', approvers: [] }, 'approvers'],
    ['twenty-one approvers', { mode: 'each', approvers: many(21) }, 'approvers'],
    ['an approver twice', { mode: 'each', approvers: ['ann', 'ann'], threshold: 2 }, 'approvers'],
    ['an approver that is no id', { mode: 'each', approvers: ['Ann'] }, 'approvers'],
    ['approvers of nothing', { mode: 'none', approvers: ['ann'] }, 'approvers'],
    ['a threshold of nothing', { mode: 'none', threshold: 2 }, 'threshold'],
    ['a threshold of none', { mode: 'each', threshold: 0 }, 'threshold'],
    ['a half', { mode: 'each', approvers: ['ann', 'ben'], threshold: 1.5 }, 'threshold'],
    ['more than there are approvers', { mode: 'each', approvers: ['ann', 'ben'], threshold: 3 }, 'threshold'],
    ['more than the principal alone', { mode: 'each', threshold: 2 }, 'threshold'],
  ])('%s is refused', (_, written, member) => {
    const parsed = ApprovalDocument.safeParse(written)
    expect(parsed.success).toBe(false)
    expect(parsed.error?.issues[0]?.path[0] ?? '').toBe(member)
  })

  test('comes out of its column as it went in, and "ask nobody" is no column', () => {
    const rule = ApprovalDocument.parse({ mode: 'outside', outside: [BOUND], approvers: ['ann', 'ben'], threshold: 2 })
    expect(readApprovalColumn(JSON.parse(JSON.stringify(approvalColumn(rule))))).toStrictEqual(rule)
    expect(approvalColumn({ mode: 'none' })).toBeNull()
    expect(readApprovalColumn(null)).toStrictEqual({ mode: 'none' })
  })

  test('a column that is no rule is a fault, and never "ask nobody"', () => {
    expect(() => readApprovalColumn({ mode: 'nobody' })).toThrow()
    expect(() => readApprovalColumn({})).toThrow()
  })

  test('asks the principal alone where it names nobody', () => {
    expect(approversOf({ mode: 'each' }, 'alice')).toStrictEqual({ approvers: ['alice'], threshold: 1 })
    expect(approversOf({ mode: 'each', approvers: ['ann', 'ben'], threshold: 2 }, 'alice')).toStrictEqual({
      approvers: ['ann', 'ben'],
      threshold: 2,
    })
  })
})
