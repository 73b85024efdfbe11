/** Only this module has the name of the member, so that no value from outside (JSON, a form) can ever pass for markup. */
const MARKUP: unique symbol = Symbol('markup')

/** Markup that may be sent to a browser as it is: the words of a template of ours, and escaped values. */
export interface Html {
  readonly [MARKUP]: string
}

/** What may stand in a template. Text is escaped; nothing is shown of undefined, null and false. */
export type Insertion = Html | string | number | undefined | null | false | readonly Insertion[]

/**
 * Makes markup of a template. Every inserted text is escaped, for content and for attributes in quotation marks alike.
 *
 * INVARIANT: there is no way around it: no function here takes text and calls it markup. What an agent wrote can be shown on
 * every page and never becomes part of it (test/http/pages/html.test.ts).
 */
export function html(words: TemplateStringsArray, ...insertions: readonly Insertion[]): Html {
  let markup = words[0] ?? ''
  for (const [i, insertion] of insertions.entries()) markup += markupOf(insertion) + (words[i + 1] ?? '')
  return { [MARKUP]: markup }
}

/** The text that is sent. */
export const htmlText = (markup: Html): string => markup[MARKUP]

function markupOf(insertion: Insertion): string {
  if (insertion === undefined || insertion === null || insertion === false) return ''
  if (typeof insertion === 'string') return insertion.replace(SPECIAL, (character) => ESCAPES[character] ?? '')
  if (typeof insertion === 'number') return String(insertion)
  if (isList(insertion)) return insertion.map(markupOf).join('')
  // A value of any other type has passed the compiler by: it must not be shown as whatever it turns into.
  if (typeof insertion[MARKUP] !== 'string') throw new TypeError('neither text nor markup')
  return insertion[MARKUP]
}

const isList = (insertion: Html | readonly Insertion[]): insertion is readonly Insertion[] => Array.isArray(insertion)

/** Every character that means something in content or in a quoted attribute (HTML Standard §13.3), and the backtick. */
const SPECIAL = /[&<>"'`]/g
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' },
}
