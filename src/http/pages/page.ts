import type { Context } from 'koa'
import { assetPath } from './assets.ts'
import { hiddenCsrf } from './components/form.ts'
import { wordmark } from './components/wordmark.ts'
import { type Html, html, htmlText } from './html.ts'
import type { SignedIn } from './signed-in.ts'

/** The places of a principal. */
export type Place = 'me' | 'approvals' | 'activity' | 'logins'

export interface PageParts {
  /** Shown in the browser's own frame; the page's heading is part of the body. */
  readonly title: string
  /** Default: 200. */
  readonly status?: number
  readonly body: Html
  /** Who sees it: the page then has the places of a principal and a way out. */
  readonly signedIn?: SignedIn | undefined
  /** Which place it is. */
  readonly nav?: Place
  /** For one decision: no wider than a page of a book. Default: where there is no `nav`. */
  readonly isNarrow?: boolean
  /** Approvals that wait for the principal: shown beside the place, where it is known. */
  readonly waiting?: number
  /** Origins (or schemes, with the colon) beyond ours to which an answer to a form of the page may lead on. */
  readonly formActions?: readonly string[]
  /** Names of scripts in assets.ts, beyond the one that every place of a principal has. The page says what it has to say without them. */
  readonly scripts?: readonly string[]
}

/**
 * Answers with a page of ours: complete, rendered here, kept by nobody, shown inside of no other page (RFC 9700 §4.16), and with
 * no script or style but ours.
 */
export function answerPage(context: Context, parts: PageParts): void {
  const { status = 200, formActions = [] } = parts
  context.status = status
  for (const [name, value] of PAGE_HEADERS) context.set(name, value)
  context.set('Content-Security-Policy', contentSecurityPolicy(formActions))
  context.type = 'text/html; charset=utf-8'
  context.body = htmlText(document(parts))
}

/**
 * `same-origin`, and not the `no-referrer` of other answers: without a referrer a browser names no origin for a form that it
 * sends, and the origin is part of what guards our forms. Other origins are told nothing either way.
 */
const PAGE_HEADERS = [
  ['Cache-Control', 'no-store'],
  ['Referrer-Policy', 'same-origin'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
] as const

/** An origin, or a scheme with its colon: nothing that could end the directive and begin another. */
const FORM_ACTION = /^[a-z][a-z0-9+.-]*:(?:\/\/[A-Za-z0-9.[\]:_-]+)?$/

function contentSecurityPolicy(formActions: readonly string[]): string {
  const odd = formActions.find((target) => !FORM_ACTION.test(target))
  if (odd !== undefined) throw new Error('neither an origin nor a scheme')
  return [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    ["form-action 'self'", ...formActions].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
}

const PLACES: readonly (readonly [place: Place, path: string, name: string])[] = [
  ['me', '/me', 'Agents'],
  ['approvals', '/me/approvals', 'Approvals'],
  ['activity', '/me/activity', 'Activity'],
  ['logins', '/me/logins', 'Sign-in'],
]

function document({
  title,
  body,
  signedIn,
  nav,
  isNarrow = nav === undefined,
  waiting,
  scripts = [],
}: PageParts): Html {
  // A place of a principal is told what is new for him.
  const loaded = signedIn === undefined || nav === undefined ? scripts : ['follow.js', ...scripts]
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Writ</title>
<link rel="stylesheet" href="${assetPath('style.css')}">
<link rel="icon" href="${assetPath('icon.svg')}" type="image/svg+xml">
${loaded.map((name) => html`<script src="${assetPath(name)}" defer></script>\n`)}</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top${signedIn === undefined ? ' top-plain' : undefined}">
<div class="top-inner">
${signedIn === undefined ? html`<span class="brand">${wordmark}</span>` : html`<a class="brand" href="/me">${wordmark}</a>`}
${signedIn !== undefined && places(signedIn, nav, waiting)}
</div>
</header>
<main id="main" tabindex="-1"${isNarrow && html` class="narrow"`}>
${body}
</main>
<footer class="bottom"><p>Writ: one short-lived token for each action, for whom and for what.</p></footer>
</body>
</html>
`
}

function places(signedIn: SignedIn, nav: Place | undefined, waiting: number | undefined): Html {
  const links = PLACES.map(([place, path, name]) => {
    const badge =
      place === 'approvals' &&
      html`<span class="badge" data-waiting${!waiting && html` hidden`}>${waiting ?? 0}<span class="unseen"> waiting</span></span>`
    return html`<li><a href="${path}"${place === nav && html` aria-current="page"`}>${name}${badge}</a></li>`
  })
  return html`<nav class="places" aria-label="Your places"><ul>${links}</ul></nav>
<div class="who"><span class="who-name" title="Signed in as ${signedIn.principalId}">${signedIn.principalName}</span>
<form method="post" action="/sign-out">${hiddenCsrf(signedIn)}<button class="link" type="submit">Sign out</button></form></div>`
}
