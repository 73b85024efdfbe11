import { describe, expect, test } from 'vitest'
import { compileActionType } from '../../../src/core/action/action-type.ts'
import { BUILTIN_ACTION_TYPES } from '../../../src/core/action/builtin/builtin-action-types.ts'

describe('built-in action types', () => {
  test.each(BUILTIN_ACTION_TYPES)('$type compiles', (definition) => {
    expect(compileActionType(definition, 1)).toMatchObject({ type: definition.type, version: 1, isSingleUse: true })
  })
})
