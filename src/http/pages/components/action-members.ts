import { isDigest } from '../../../core/action/digest.ts'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../core/json.ts'
import { type Html, html } from '../html.ts'
import { lookAlikeWarning, seenLongText, seenText } from './seen-text.ts'

/**
 * Every member of an action and its whole value, as it is in the token: nothing is left out, long texts are folded, and what
 * could not be seen is named.
 *
 * @param digestOnly paths of members of which the digest alone is known.
 */
export function actionMembers({ type: _, locations: __, ...members }: JsonObject, digestOnly: readonly string[]): Html {
  const names = Object.keys(members)
  if (names.length === 0) return html`<p class="none">It has no members.</p>`
  return memberList(members, '', new Set(digestOnly))
}

function memberList(members: JsonObject, prefix: string, digestOnly: ReadonlySet<string>): Html {
  return html`<dl class="members">${Object.entries(members).map(
    ([name, value]) =>
      html`<div><dt>${seenText(name)}${lookAlike(name)}</dt><dd>${valueMarkup(value, `${prefix}${name}`, digestOnly)}</dd></div>`,
  )}</dl>`
}

function valueMarkup(value: JsonValue, path: string, digestOnly: ReadonlySet<string>): Html {
  if (digestOnly.has(path) && isDigest(value)) return unshown(value.s256)
  if (typeof value === 'string') return textOf(value)
  if (isJsonArray(value)) {
    if (value.length === 0) return html`<span class="dim">empty list</span>`
    // No digest may stand for an element, so there is no path into a list.
    return html`<ol>${value.map((item) => html`<li>${valueMarkup(item, '', NONE)}</li>`)}</ol>`
  }
  if (!isJsonObject(value)) return html`<code>${String(value)}</code>`
  if (Object.keys(value).length === 0) return html`<span class="dim">empty object</span>`
  return memberList(value, `${path}.`, path === '' ? NONE : digestOnly)
}

const NONE: ReadonlySet<string> = new Set()

function textOf(text: string): Html {
  if (text === '') return html`<span class="dim">empty text</span>`
  return html`<div class="value">${seenLongText(text)}</div>${lookAlike(text)}`
}

function lookAlike(text: string): Html | undefined {
  const warning = lookAlikeWarning(text)
  return warning === undefined ? undefined : html`<span class="look-alike">Look closely: ${warning}.</span>`
}

const unshown = (digest: string): Html =>
  html`<span class="hidden-content">content not shown to Writ</span><br><code class="small dim">SHA-256 ${digest}</code>`
