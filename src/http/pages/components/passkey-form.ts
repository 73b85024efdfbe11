import { type Html, html } from '../html.ts'
import type { SignedIn } from '../signed-in.ts'
import { button, hiddenCsrf } from './form.ts'

/** The scripts of a page that has such a form. */
export const PASSKEY_SCRIPTS = ['simplewebauthn.js', 'passkey.js'] as const

export interface PasskeyFormParts {
  /** Whether a passkey is made or used. */
  readonly purpose: 'add' | 'use'
  readonly action: string
  readonly label: string
  readonly signedIn?: SignedIn
  readonly hidden?: Readonly<Record<string, string>>
  readonly fields?: Html
}

/** A form that a passkey answers. It needs a script and a browser that knows passkeys; who has neither is told so. */
export const passkeyForm = ({ purpose, action, label, signedIn, hidden = {}, fields }: PasskeyFormParts): Html =>
  html`<p class="dim" data-passkey-missing>This needs JavaScript, and a browser that knows passkeys.</p>
<form method="post" action="${action}" data-passkey="${purpose}" data-options="${action}/options" hidden>${signedIn !== undefined && hiddenCsrf(signedIn)}${Object.entries(hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<input type="hidden" name="answer" value="">
${fields}
<p class="problem" role="alert" data-passkey-problem hidden></p>
${button({ label })}
</form>`
