import { canonicalJson, isJsonArray, isJsonObject, type JsonValue, ownMember } from '../json.ts'
import { type DigestPlace, isDigest } from './digest.ts'
import type { Action } from './parse-action.ts'

/** How much of one value the sentence shows; the page shows every member in full. Unit: characters, and elements. */
const MAX_VALUE_CHARACTERS = 200
const MAX_ELEMENTS = 10

/** What needs no quotation marks to be told from the words around it: names, numbers, addresses, URLs. */
const PLAIN = /^[A-Za-z0-9@._:/?&=%+~#-]+$/
/**
 * Characters that are not seen, or that make others be seen elsewhere: controls, format characters (among them the
 * bidirectional and zero-width ones), separators but the space, unassigned and private ones; and our own marks with what
 * looks like them, so that no value can forge them.
 */
const UNSEEN =
  /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u115f\u1160\u2800\u3164\uffa0“”⟨⟩\u201e\u201f\u02ba\u02dd\u02ee\u02f5\u02f6\u05f4\u2033\u2036\u275d\u275e\u276c-\u2771\u27e6\u27e7\u27ea-\u27ef\u29fc\u29fd\u2e42\u301d-\u301f\uff02\u2329\u232a\u3008-\u300b\u{1f676}-\u{1f678}\u2039\u203a\u2991\u2992\ufe3f\ufe40\u3003]|(?<= )[\u030b\u030e]|[\u0334-\u0338]|[\u20d2-\u20e8]|\p{Me}|\p{Variation_Selector}|\p{Default_Ignorable_Code_Point}/gu

/**
 * Renders the sentence that an approver reads: the words of the action type's template, and the parsed values.
 *
 * Plain text, to be escaped like any other where it is shown. A value is quoted when it could be taken for words of the
 * template, `⟨…⟩` are marks of ours: what is not seen is named, what is long is cut and says so.
 */
export function renderSentence(action: Action): string {
  return action.type.templateParts
    .map((part) => {
      if ('text' in part) return part.text
      let value: JsonValue | undefined = action.details
      let place: DigestPlace | undefined = action.type.digestPlaces
      for (const name of part.path) {
        value = isJsonObject(value) ? ownMember(value, name) : undefined
        place = place?.members.get(name)
      }
      if (value === undefined) return '⟨none⟩'
      return place?.kind !== undefined && isDigest(value) ? '⟨content not shown to Writ⟩' : renderValue(value)
    })
    .join('')
}

function renderValue(value: JsonValue): string {
  if (typeof value === 'string') return PLAIN.test(value) ? cut(value) : `“${cut(value)}”`
  if (!isJsonArray(value)) return isJsonObject(value) ? `“${cut(canonicalJson(value))}”` : String(value)
  if (value.length === 0) return '⟨none⟩'
  const shown = value
    .slice(0, MAX_ELEMENTS)
    .map((item) => (isJsonArray(item) ? `“${cut(canonicalJson(item))}”` : renderValue(item)))
  const hidden = value.length - shown.length
  return shown.join(', ') + (hidden > 0 ? ` ⟨and ${hidden} more⟩` : '')
}

function cut(text: string): string {
  const characters = Array.from(text)
  const hidden = characters.length - MAX_VALUE_CHARACTERS
  const shown = characters.slice(0, MAX_VALUE_CHARACTERS).join('').replace(UNSEEN, visible)
  return hidden > 0 ? `${shown}⟨${hidden} more characters⟩` : shown
}

function visible(character: string): string {
  return `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`
}
