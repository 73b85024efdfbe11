import { type ExplainedType, explainBound } from '../../../core/delegation/explain/explain-bound.ts'
import { isJsonObject, type JsonValue } from '../../../core/json.ts'
import { type Html, html } from '../html.ts'
import { seenText } from './seen-text.ts'

/** What a delegation allows, bound by bound, in words: complete, so that who reads it knows all of it. */
export function boundsInWords(bounds: readonly JsonValue[], types: ReadonlyMap<string, ExplainedType>): Html {
  return html`<ol class="bounds">${bounds.map((bound) => html`<li>${boundInWords(bound, types)}</li>`)}</ol>`
}

function boundInWords(bound: JsonValue, types: ReadonlyMap<string, ExplainedType>): Html {
  if (!isJsonObject(bound)) return html`<p class="problem">A bound that cannot be read: it allows nothing.</p>`
  const type = typeof bound.type === 'string' ? types.get(bound.type) : undefined
  const { title, sentence, members, locations, useless } = explainBound(bound, type)
  return html`<h3>${seenText(title)}</h3>
${sentence === undefined ? html`<p class="problem">This kind of action is not known any more: nothing is issued for it.</p>` : html`<p class="bound-sentence">${seenText(sentence)}</p>`}
${locations !== undefined && html`<p class="small dim">Only at ${seenText(locations.join(', '))}.</p>`}
${useless !== undefined && html`<p class="problem">No action can fit: ${useless}.</p>`}
<details class="folded"><summary>Every member, and what it may be</summary><div>${
    members.length === 0
      ? html`<p class="none">It has no members.</p>`
      : html`<dl class="members">${members.map(({ path, may }) => html`<div><dt>${seenText(path)}</dt><dd>${seenText(may)}</dd></div>`)}</dl>`
  }</div></details>`
}

/** The titles of what a delegation allows, for a list: short, and the whole is a click away. */
export function boundTitles(bounds: readonly JsonValue[], types: ReadonlyMap<string, ExplainedType>): Html {
  const sentences = bounds.map((bound) => {
    if (!isJsonObject(bound)) return 'nothing'
    const { title, sentence } = explainBound(bound, typeof bound.type === 'string' ? types.get(bound.type) : undefined)
    return sentence ?? title
  })
  return html`<ul class="bound-titles">${sentences.map((sentence) => html`<li>${seenText(sentence)}</li>`)}</ul>`
}
