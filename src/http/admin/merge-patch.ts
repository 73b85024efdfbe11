import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'

/** Applies a merge patch: null removes, an object goes into an object, anything else replaces (RFC 7396 §2). */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged: Record<string, JsonValue> = { ...target }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      delete merged[name]
    } else if (isJsonObject(value)) {
      const before = Object.hasOwn(merged, name) ? merged[name] : undefined
      merged[name] = mergePatch(isJsonObject(before) ? before : {}, value)
    } else {
      merged[name] = value
    }
  }
  return merged
}
