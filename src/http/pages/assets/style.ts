/**
 * The one style of all pages: a few custom properties, plain elements first, a few classes after them (components/). Dark and
 * light follow the reader's system; nothing is loaded from anywhere.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f5f6f3;
  --surface: #ffffff;
  --sunken: #f0f2ee;
  --ink: #17201c;
  --dim: #55615b;
  --line: #dde2dd;
  --line-strong: #848f89;
  --accent: #0b6e55;
  --accent-strong: #08543f;
  --accent-soft: #e3f3ec;
  --on-accent: #ffffff;
  --danger: #ae2318;
  --danger-strong: #8c170e;
  --danger-soft: #fcebe8;
  --on-danger: #ffffff;
  --warning: #7a4a00;
  --warning-soft: #fff3d8;
  --warning-line: #e0b65a;
  --mark: #7a1d6b;
  --mark-soft: #fae8f6;
  --shadow: 0 1px 2px rgb(20 32 26 / 6%), 0 6px 20px rgb(20 32 26 / 5%);
  --radius: 12px;
  --radius-small: 8px;
  --s1: .25rem; --s2: .5rem; --s3: .75rem; --s4: 1rem; --s5: 1.5rem; --s6: 2rem; --s7: 3rem;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0e1311;
    --surface: #161c19;
    --sunken: #1d2521;
    --ink: #e7ece9;
    --dim: #9faba5;
    --line: #2a332e;
    --line-strong: #77837d;
    --accent: #62d4b2;
    --accent-strong: #8ce6ca;
    --accent-soft: #12332a;
    --on-accent: #07140f;
    --danger: #ff9b90;
    --danger-strong: #ffbdb5;
    --danger-soft: #3a1916;
    --on-danger: #2a0502;
    --warning: #f4c870;
    --warning-soft: #33270d;
    --warning-line: #7b5f1f;
    --mark: #f0a6e2;
    --mark-soft: #3b1a35;
    --shadow: 0 1px 2px rgb(0 0 0 / 40%);
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: flex; flex-direction: column;
  background: var(--paper); color: var(--ink);
  font: 400 1rem/1.55 var(--sans); overflow-wrap: break-word;
}
h1, h2, h3 { line-height: 1.25; margin: 0; font-weight: 650; letter-spacing: -.011em; text-wrap: balance; }
h1 { font-size: 1.75rem; letter-spacing: -.02em; }
h2 { font-size: 1.125rem; }
h3 { font-size: 1rem; }
p, ul, ol, dl, figure, pre, blockquote { margin: 0; }
p + p { margin-top: var(--s3); }
ul, ol { padding-left: 1.25rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .18em; }
a:hover { color: var(--accent-strong); text-decoration-thickness: 2px; }
code, pre, .mono { font-family: var(--mono); font-size: .875em; }
code { overflow-wrap: anywhere; }
hr { border: 0; border-top: 1px solid var(--line); margin: var(--s5) 0; }
strong, b { font-weight: 650; }
[hidden] { display: none !important; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: var(--s4); top: -4rem; z-index: 2; background: var(--surface); padding: var(--s2) var(--s4); border-radius: var(--radius-small); }
.skip:focus { top: var(--s3); }
.dim { color: var(--dim); }
.small { font-size: .875rem; }

/* the frame */
.top { background: var(--surface); border-bottom: 1px solid var(--line); }
.top-inner { max-width: 66rem; margin: 0 auto; padding: var(--s3) var(--s5); display: flex; align-items: center; gap: var(--s3) var(--s5); flex-wrap: wrap; }
.top-plain .top-inner { max-width: 40rem; }
.brand { display: inline-flex; align-items: center; gap: var(--s2); color: var(--ink); text-decoration: none; }
a.brand:hover { color: var(--ink); }
.brand-name { font-weight: 700; font-size: 1.25rem; letter-spacing: -.03em; }
.mark { display: block; }
.mark-sheet { fill: var(--accent); }
.mark-stroke { fill: none; stroke: var(--on-accent); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
.places { flex: 1; }
.places ul { list-style: none; padding: 0; display: flex; gap: var(--s1); flex-wrap: wrap; }
.places a { display: inline-flex; align-items: center; gap: var(--s2); min-height: 2.5rem; padding: 0 var(--s3); border-radius: var(--radius-small); color: var(--dim); text-decoration: none; font-weight: 550; }
.places a:hover { color: var(--ink); background: var(--sunken); }
.places a[aria-current] { color: var(--accent-strong); background: var(--accent-soft); }
.badge { display: inline-block; min-width: 1.375rem; padding: 0 .375rem; border-radius: 1rem; background: var(--accent); color: var(--on-accent); font-size: .8125rem; line-height: 1.375rem; font-weight: 650; text-align: center; font-variant-numeric: tabular-nums; }
.who { display: flex; align-items: center; gap: var(--s3); font-size: .9375rem; min-width: 0; }
.who-name { font-weight: 550; max-width: 12rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
main { flex: 1; width: 100%; max-width: 66rem; margin: 0 auto; padding: var(--s6) var(--s5) var(--s7); }
main.narrow { max-width: 40rem; }
main > * + * { margin-top: var(--s5); }
.bottom { border-top: 1px solid var(--line); color: var(--dim); font-size: .8125rem; text-align: center; padding: var(--s4) var(--s5); }
.heading { display: grid; gap: var(--s2); }
.lead { color: var(--dim); font-size: 1.0625rem; max-width: 42rem; text-wrap: pretty; }

/* cards, lists, facts */
.card { background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow); min-width: 0; }
.card-head { display: flex; align-items: center; justify-content: space-between; gap: var(--s2) var(--s4); flex-wrap: wrap; padding: var(--s4) var(--s5) 0; }
.card-aside { color: var(--dim); font-size: .9375rem; }
.card-body { padding: var(--s4) var(--s5); }
.card-foot { padding: var(--s4) var(--s5); border-top: 1px solid var(--line); }
/* A gap, and no margins: what is hidden takes no room. */
.card-body, .card-foot, .stack, .stack-tight, form { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--s4); align-content: start; }
.stack { gap: var(--s5); }
.card .stack { gap: var(--s4); }
.stack-tight { gap: var(--s2); }
.card-body > p + p, .stack > p + p, form > p + p { margin-top: 0; }
.card-body > .button, .card-foot > .button, .stack > .button, form > .button { justify-self: start; }
.list { list-style: none; padding: 0; }
.list > li { padding: var(--s4) 0; border-top: 1px solid var(--line); min-width: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--s3); }
.list > li:first-child { border-top: 0; padding-top: 0; }
.list > li:last-child { padding-bottom: 0; }
.none { color: var(--dim); }
.empty { text-align: center; padding: var(--s6) var(--s4); color: var(--dim); display: grid; gap: var(--s2); justify-items: center; }
.facts { display: grid; gap: var(--s3); }
.facts > div { display: grid; grid-template-columns: minmax(7rem, 11rem) minmax(0, 1fr); gap: var(--s1) var(--s4); }
.facts dt { color: var(--dim); }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.row { display: flex; gap: var(--s3) var(--s4); align-items: flex-start; justify-content: space-between; flex-wrap: wrap; }
.row > :first-child { min-width: 0; }
.row > p { margin: 0; }
.grow { flex: 1 1 16rem; min-width: 0; }
.tags { display: flex; gap: var(--s2); flex-wrap: wrap; align-items: center; }
.tag { display: inline-block; padding: 0 .5rem; border-radius: 1rem; font-size: .8125rem; line-height: 1.5rem; font-weight: 600; background: var(--sunken); color: var(--dim); white-space: nowrap; }
.tag.good, .tag.accent { background: var(--accent-soft); color: var(--accent-strong); }
.tag.warning { background: var(--warning-soft); color: var(--warning); }
.tag.danger { background: var(--danger-soft); color: var(--danger-strong); }
.sentence { font-size: 1.1875rem; line-height: 1.5; font-weight: 550; letter-spacing: -.006em; overflow-wrap: anywhere; text-wrap: pretty; }
.quote { border-left: 3px solid var(--line-strong); padding-left: var(--s4); color: var(--dim); }
.quote > .says { font-size: .8125rem; font-weight: 600; display: block; margin-bottom: var(--s1); }
.chain { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s2); align-items: center; list-style: none; padding: 0; }
.chain > li + li::before { content: "→"; color: var(--dim); margin-right: var(--s2); }
.meter { display: grid; gap: var(--s1); }
.meter progress { width: 100%; height: .5rem; appearance: none; border: 0; border-radius: 1rem; background: var(--sunken); accent-color: var(--accent); overflow: hidden; }
.meter progress::-webkit-progress-bar { background: var(--sunken); border-radius: 1rem; }
.meter progress::-webkit-progress-value { background: var(--accent); border-radius: 1rem; }
.meter progress::-moz-progress-bar { background: var(--accent); border-radius: 1rem; }

.bounds { list-style: none; padding: 0; display: grid; gap: var(--s5); }
.bounds > li > * + * { margin-top: var(--s2); }
.bound-sentence { font-size: 1.0625rem; overflow-wrap: anywhere; }
.bound-titles { list-style: disc; padding-left: 1.125rem; display: grid; gap: var(--s1); font-weight: 550; }
.bound-titles > li:only-child { list-style: none; margin-left: -1.125rem; }
.limits { list-style: none; padding: 0; display: grid; gap: var(--s1); font-size: .9375rem; }
.limits strong { color: var(--accent-strong); font-variant-numeric: tabular-nums; margin-left: var(--s1); }
.entry > * + * { margin-top: var(--s2); }
.entry-what { font-weight: 550; overflow-wrap: anywhere; }
.filters ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: var(--s1) var(--s2); align-items: center; }
.filters li > a:only-child { display: inline-flex; align-items: center; min-height: 2.5rem; padding: 0 var(--s3); border-radius: var(--radius-small); border: 1px solid var(--line); background: var(--surface); color: var(--dim); text-decoration: none; font-weight: 550; }
.filters li > a[aria-current] { color: var(--accent-strong); background: var(--accent-soft); border-color: var(--accent); }
.filters .filter { color: var(--dim); font-size: .9375rem; margin-left: var(--s2); }

/* notices */
.notice { border: 1px solid var(--line); border-left: 4px solid var(--line-strong); border-radius: var(--radius-small); background: var(--surface); padding: var(--s3) var(--s4); }
.notice-title { font-weight: 650; }
.notice-body { margin-top: var(--s1); }
.notice-body::first-letter { text-transform: uppercase; }
.notice.good { border-left-color: var(--accent); background: var(--accent-soft); border-color: var(--accent); }
.notice.warning { border-color: var(--warning-line); background: var(--warning-soft); }
.notice.warning .notice-title { color: var(--warning); }
.notice.danger { border-color: var(--danger); background: var(--danger-soft); }
.notice.danger .notice-title { color: var(--danger-strong); }

/* what an agent wrote */
.seen { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
.unseen-mark { font: 600 .75em/1.4 var(--mono); color: var(--mark); background: var(--mark-soft); border-radius: 4px; padding: 0 .25em; margin: 0 .0625em; white-space: nowrap; display: inline-block; unicode-bidi: isolate; direction: ltr; }
.value { font-family: var(--mono); font-size: .875rem; overflow-wrap: anywhere; }
.hidden-content { color: var(--dim); font-style: italic; }
.look-alike { display: block; margin-top: var(--s1); font: 600 .8125rem/1.5 var(--sans); color: var(--warning); }
.members { display: grid; border: 1px solid var(--line); border-radius: var(--radius-small); overflow: hidden; }
.members > div { display: grid; grid-template-columns: minmax(0, 13rem) minmax(0, 1fr); border-top: 1px solid var(--line); }
.narrow .members > div, .members .members > div { grid-template-columns: minmax(0, 9.5rem) minmax(0, 1fr); }
.members > div:first-child { border-top: 0; }
.members dt { padding: var(--s3) var(--s4); background: var(--sunken); color: var(--dim); font-size: .9375rem; overflow-wrap: anywhere; }
.members dd { margin: 0; padding: var(--s3) var(--s4); min-width: 0; }
.members ol, .members ul { padding-left: 1.25rem; display: grid; gap: var(--s1); }
.folded > summary { cursor: pointer; color: var(--accent); font-weight: 550; padding: var(--s1) 0; }
.folded > summary:hover { color: var(--accent-strong); }
.folded > div { padding-top: var(--s3); }
.folded:not(.long) > div { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--s3); }
.folded.long > summary { color: inherit; font-weight: inherit; padding: 0; }
.folded.long > summary .fold-note { color: var(--accent); font: 550 .875rem/1.5 var(--sans); white-space: nowrap; text-decoration: underline; text-underline-offset: .18em; }
.folded.long[open] > summary .long-start { display: none; }
.long-all { max-height: 28rem; overflow: auto; border-top: 1px dashed var(--line-strong); }

/* forms */
label, legend { font-weight: 550; padding: 0; }
fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.field { display: grid; gap: var(--s1); max-width: 36rem; }
.hint { display: block; color: var(--dim); font-size: .875rem; font-weight: 400; }
.problem::first-letter { text-transform: uppercase; }
.problem { color: var(--danger-strong); font-size: .875rem; font-weight: 550; }
input, select, textarea { font: inherit; color: inherit; }
input:not([type=checkbox], [type=radio], [type=hidden]), select, textarea {
  width: 100%; min-height: 2.75rem; padding: var(--s2) var(--s3); background: var(--surface); border: 1px solid var(--line-strong); border-radius: var(--radius-small);
}
input[aria-invalid=true] { border-color: var(--danger); }
input[type=checkbox], input[type=radio] { width: 1.25rem; height: 1.25rem; margin: .125rem 0 0; accent-color: var(--accent); flex: none; }
.check { display: flex; gap: var(--s3); align-items: flex-start; font-weight: 400; padding: var(--s1) 0; cursor: pointer; }
.actions { display: flex; flex-wrap: wrap; gap: var(--s3); align-items: center; }
.button { display: inline-flex; align-items: center; justify-content: center; min-height: 2.75rem; padding: var(--s2) var(--s5); border: 1px solid transparent; border-radius: var(--radius-small); font: 600 1rem/1.25 var(--sans); text-decoration: none; text-align: center; cursor: pointer; transition: background-color .12s, border-color .12s; }
.button.primary { background: var(--accent); color: var(--on-accent); }
.button.primary:hover { background: var(--accent-strong); color: var(--on-accent); }
.button.secondary { background: var(--surface); color: var(--ink); border-color: var(--line-strong); }
.button.secondary:hover { background: var(--sunken); color: var(--ink); }
.button.danger { background: var(--danger); color: var(--on-danger); }
.button.danger:hover { background: var(--danger-strong); color: var(--on-danger); }
.button.quiet { background: transparent; color: var(--danger-strong); border-color: var(--line); }
.button.quiet:hover { background: var(--danger-soft); border-color: var(--danger); color: var(--danger-strong); }
.list .button { min-height: 2.5rem; padding: var(--s1) var(--s4); font-size: .9375rem; }
.button:disabled { opacity: .6; cursor: default; }
.button.wide { width: 100%; }
.link { background: none; border: 0; padding: var(--s2) 0; font: inherit; color: var(--accent); cursor: pointer; text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: .18em; }
.link:hover { color: var(--accent-strong); }
.or { display: flex; align-items: center; gap: var(--s3); color: var(--dim); font-size: .875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.code { font: 600 1.75rem/1.2 var(--mono); letter-spacing: .12em; }
.more { margin-top: var(--s4); }

/* tables, for the console */
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { text-align: left; padding: var(--s3) var(--s4); border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--dim); font-weight: 600; font-size: .8125rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }

@media (max-width: 40rem) {
  h1 { font-size: 1.5rem; }
  .top-inner { padding: var(--s3) var(--s4); justify-content: space-between; gap: var(--s1) var(--s3); }
  .places { order: 3; flex: 1 0 100%; overflow-x: auto; margin: 0 calc(-1 * var(--s2)); }
  .places ul { flex-wrap: nowrap; gap: 0; justify-content: space-between; }
  .places a { padding: 0 var(--s2); font-size: .9375rem; white-space: nowrap; }
  .who-name { max-width: 8rem; }
  main { padding: var(--s5) var(--s4) var(--s6); }
  .card-head { padding: var(--s4) var(--s4) 0; }
  .card-body, .card-foot { padding: var(--s4); }
  .facts > div { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .members > div, .narrow .members > div, .members .members > div { grid-template-columns: minmax(0, 1fr); }
  .row > .actions { flex: 1 0 100%; }
  .members dt { padding: var(--s2) var(--s4); }
  .actions > .button, .actions > form, .actions > form .button { width: 100%; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { transition: none !important; animation: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  .button, .tag, .badge, .card, .notice { border: 1px solid; }
  .places a[aria-current] { text-decoration: underline; }
}
@media print {
  :root { --paper: #fff; --surface: #fff; --sunken: #fff; --ink: #000; --dim: #333; --shadow: none; }
  .top .places, .who, .actions, .skip, .bottom, .more { display: none; }
  .card { break-inside: avoid; box-shadow: none; }
  .long-all { max-height: none; overflow: visible; }
}
`
