import type { Answers, Control } from '../../core/delegation/narrowing.ts'
import { check, field } from '../pages/components/form.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { type Html, html } from '../pages/html.ts'

/** The field, or fields, by which one thing is made narrower; filled in with what was answered before. */
export function controlField(control: Control, answers: Answers | undefined): Html {
  const { name } = control
  // A name of a member may be the agent's.
  const path = seenText(inWords(control.path))
  const value = answers?.get(name)
  switch (control.kind) {
    case 'choices':
      return html`<fieldset class="field"><legend>${path}: leave in</legend>${control.options.map((option, n) =>
        check({
          ...{ name: `${name}.${n}`, value: 'on', label: seenText(option) },
          isChecked: answers === undefined || answers.get(`${name}.${n}`) !== undefined,
        }),
      )}</fieldset>`
    case 'only':
      return textArea(name, html`${path}: only these`, 'One on each line. Empty: as it was asked for.', value ?? '')
    case 'min':
      return field({ name, label: html`${path}: at least`, value: value ?? control.limit, inputmode: 'decimal' })
    case 'max':
      return field({ name, label: html`${path}: at most`, value: value ?? control.limit, inputmode: 'decimal' })
    case 'items':
      return field({
        ...{ name, label: html`${path}: how many at most`, value: value ?? control.limit, inputmode: 'numeric' },
        ...(control.limit === '' && { hint: 'Empty: any number.' }),
      })
    case 'within':
      return field({ name, label: html`${path}: inside`, value: value ?? control.text, hint: 'Can be made longer.' })
    case 'absent':
      return check({ name, value: 'on', label: html`${path}: must be absent`, isChecked: value !== undefined })
  }
}

/** `each of to`, where the elements of a list are meant. */
const inWords = (path: string) => (path.endsWith('[]') ? `each of ${path.slice(0, -2)}` : path)

function textArea(name: string, label: Html, hint: string, value: string): Html {
  return html`<div class="field"><label for="${name}">${label}</label><p class="hint" id="${name}-hint">${hint}</p>
<textarea id="${name}" name="${name}" rows="2" aria-describedby="${name}-hint">${value}</textarea></div>`
}

/** A list to choose one from. */
export function select(
  name: string,
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string,
): Html {
  return html`<div class="field"><label for="${name}">${label}</label><select id="${name}" name="${name}">${options.map(
    ([value, text]) => html`<option value="${value}"${value === chosen && html` selected`}>${text}</option>`,
  )}</select></div>`
}

/** Boxes of which one is chosen. */
export function radios(
  name: string,
  legend: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string,
): Html {
  return html`<fieldset class="field"><legend>${legend}</legend>${options.map(
    ([value, text]) =>
      html`<label class="check"><input type="radio" name="${name}" value="${value}"${value === chosen && html` checked`}><span>${text}</span></label>`,
  )}</fieldset>`
}
