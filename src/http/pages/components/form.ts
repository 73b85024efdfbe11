import { type Html, html } from '../html.ts'
import type { SignedIn } from '../signed-in.ts'

/** The member of a form without which it does not count; `readGuardedForm` compares it. */
export const hiddenCsrf = ({ csrfToken }: Pick<SignedIn, 'csrfToken'>): Html =>
  html`<input type="hidden" name="csrf" value="${csrfToken}">`

export type ButtonManner = 'primary' | 'secondary' | 'danger' | 'quiet'

export interface ButtonParts {
  readonly label: string
  readonly manner?: ButtonManner
  /** What the form says when it is sent by this button. */
  readonly name?: string
  readonly value?: string
  /** What the label leaves open to someone who only hears it: which delegation, which agent. */
  readonly about?: string
}

/** A button that sends its form. */
export const button = ({ label, manner = 'primary', name, value, about }: ButtonParts): Html =>
  html`<button type="submit" class="button ${manner}"${name !== undefined && html` name="${name}"`}${value !== undefined && html` value="${value}"`}>${label}${about !== undefined && html`<span class="unseen"> ${about}</span>`}</button>`

/** A link that looks like a button: it leads somewhere and changes nothing. */
export const buttonLink = ({
  label,
  href,
  manner = 'secondary',
  about,
}: ButtonParts & { readonly href: string }): Html =>
  html`<a class="button ${manner}" href="${href}">${label}${about !== undefined && html`<span class="unseen"> ${about}</span>`}</a>`

export interface FieldParts {
  readonly name: string
  readonly label: Html | string
  readonly type?: 'text' | 'email' | 'number' | 'date' | 'datetime-local'
  readonly value?: string
  /** What to write into it. */
  readonly hint?: string
  /** Why what was written cannot be taken. */
  readonly problem?: string | undefined
  readonly isRequired?: boolean
  readonly maxLength?: number
  readonly autocomplete?: string
  readonly inputmode?: 'text' | 'numeric' | 'decimal' | 'email' | 'url'
}

/** A labelled field; hint and problem are read out with it. */
export function field(parts: FieldParts): Html {
  const { name, label, type = 'text', value = '', hint, problem } = parts
  const described = [hint !== undefined && `${name}-hint`, problem !== undefined && `${name}-problem`].filter(Boolean)
  return html`<div class="field">
<label for="${name}">${label}</label>
${hint !== undefined && html`<p class="hint" id="${name}-hint">${hint}</p>`}
<input id="${name}" name="${name}" type="${type}" value="${value}"${parts.isRequired === true && html` required`}${parts.maxLength !== undefined && html` maxlength="${parts.maxLength}"`}${parts.autocomplete !== undefined && html` autocomplete="${parts.autocomplete}"`}${parts.inputmode !== undefined && html` inputmode="${parts.inputmode}"`}${described.length > 0 && html` aria-describedby="${described.join(' ')}"`}${problem !== undefined && html` aria-invalid="true"`}>
${problem !== undefined && html`<p class="problem" id="${name}-problem">${problem}</p>`}
</div>`
}

export interface CheckParts {
  readonly name: string
  readonly value: string
  readonly label: Html | string
  readonly hint?: string
  readonly isChecked?: boolean
}

/** A box to tick, with its words beside it. */
export const check = ({ name, value, label, hint, isChecked = false }: CheckParts): Html =>
  html`<label class="check"><input type="checkbox" name="${name}" value="${value}"${isChecked && html` checked`}><span>${label}${hint !== undefined && html`<span class="hint">${hint}</span>`}</span></label>`

/** Buttons side by side; on a narrow screen one below the other. */
export const actions = (...buttons: readonly (Html | undefined | false)[]): Html =>
  html`<div class="actions">${buttons}</div>`

export interface PostFormParts {
  readonly action: string
  /** Absent: nobody is signed in, and the form guards itself otherwise. */
  readonly signedIn?: SignedIn | undefined
  readonly hidden?: Readonly<Record<string, string>>
  readonly content: Html
}

/** A form of ours, guarded by the token of the login. */
export const postForm = ({ action, signedIn, hidden = {}, content }: PostFormParts): Html =>
  html`<form method="post" action="${action}">${signedIn !== undefined && hiddenCsrf(signedIn)}${Object.entries(hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${content}
</form>`
