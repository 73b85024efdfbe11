import { type Html, html, type Insertion } from '../html.ts'

/** The head of a page: where one is, and a sentence on what it is for. */
export const heading = (title: string, lead?: Insertion): Html =>
  html`<div class="heading"><h1>${title}</h1>${lead !== undefined && html`<p class="lead">${lead}</p>`}</div>`

export interface CardParts {
  readonly title?: Insertion
  /** Beside the title. */
  readonly aside?: Insertion
  readonly body: Insertion
  /** Below a line: what can be done. */
  readonly foot?: Insertion
  readonly id?: string
}

/** One thing with a border around it. */
export const card = ({ title, aside, body, foot, id }: CardParts): Html =>
  html`<section class="card"${id !== undefined && html` id="${id}"`}>
${title !== undefined && html`<div class="card-head"><h2>${title}</h2>${aside !== undefined && html`<div class="card-aside">${aside}</div>`}</div>`}
<div class="card-body">${body}</div>
${foot !== undefined && html`<div class="card-foot">${foot}</div>`}
</section>`

export type NoticeManner = 'info' | 'good' | 'warning' | 'danger'

/** Something that has to be told before anything else. A danger is read out at once. */
export const notice = (manner: NoticeManner, title: string, body?: Insertion): Html =>
  html`<div class="notice ${manner}" role="${manner === 'danger' ? 'alert' : 'status'}"><p class="notice-title">${title}</p>${body !== undefined && html`<div class="notice-body">${body}</div>`}</div>`

export type TagManner = 'plain' | 'good' | 'warning' | 'danger' | 'accent'

/** A word or two that say what state a thing is in. */
export const tag = (label: string, manner: TagManner = 'plain'): Html =>
  html`<span class="tag ${manner}">${label}</span>`

/** Names and what they are, in two columns. */
export const facts = (rows: readonly (readonly [name: Insertion, value: Insertion] | undefined | false)[]): Html =>
  html`<dl class="facts">${rows.map((row) => row && html`<div><dt>${row[0]}</dt><dd>${row[1]}</dd></div>`)}</dl>`

/** A list without marks, a line between its items; or what to say when there are none. */
export const list = (items: readonly Html[], none: Insertion): Html =>
  items.length === 0
    ? html`<p class="none">${none}</p>`
    : html`<ul class="list">${items.map((item) => html`<li>${item}</li>`)}</ul>`

/** What many do not need to see, folded away; complete when it is opened. */
export const folded = (summary: Insertion, content: Insertion, isOpen = false): Html =>
  html`<details class="folded"${isOpen && html` open`}><summary>${summary}</summary><div>${content}</div></details>`

/** The way to the next page of a list. */
export const more = (href: string | undefined, label = 'Older'): Html | undefined =>
  href === undefined
    ? undefined
    : html`<nav class="more" aria-label="Pages"><a class="button secondary" href="${href}" rel="next">${label}</a></nav>`
