import { type Html, html, type Insertion } from '../html.ts'

/** What is longer is folded; nothing of it is left out. Unit: characters. */
const FOLD_CHARACTERS = 400
const SHOWN_CHARACTERS = 160

/**
 * Characters that are not seen or that make others be seen elsewhere: controls, format characters (bidirectional and
 * zero-width ones among them), separators and blanks but the ASCII space, unassigned and private ones, variation selectors,
 * and marks that strike out or enclose what stands before them.
 */
const UNSEEN =
  /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u115f\u1160\u2800\u3164\uffa0]|[\u0334-\u0338]|[\u20d2-\u20e8]|\p{Me}|\p{Variation_Selector}|\p{Default_Ignorable_Code_Point}/u

/** A mark on the letter before it, and as many on one as any script has: more of them reach into other lines. */
const MARK = /\p{M}/u
const MAX_MARKS = 3

const NAMES: Readonly<Record<string, string>> = {
  ...{
    '0009': 'tab',
    '000A': 'line break',
    '000D': 'carriage return',
    '00A0': 'no-break space',
    '00AD': 'soft hyphen',
  },
  ...{ '200B': 'zero-width space', '200C': 'zero-width non-joiner', '200D': 'zero-width joiner' },
  ...{
    '200E': 'left-to-right mark',
    '200F': 'right-to-left mark',
    '2028': 'line separator',
    '2029': 'paragraph separator',
  },
  ...{ '202A': 'left-to-right embedding', '202B': 'right-to-left embedding', '202C': 'end of direction' },
  ...{ '202D': 'left-to-right override', '202E': 'right-to-left override', '2060': 'word joiner' },
  ...{ '2066': 'left-to-right isolate', '2067': 'right-to-left isolate', '2068': 'isolate', '2069': 'end of isolate' },
  ...{ FEFF: 'zero-width no-break space', '3000': 'ideographic space' },
}

const codeOf = (character: string) => (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')

/** A character that would not be seen, named: it can be told from text that only looks so, for it is markup. */
function named(character: string): Html {
  const code = codeOf(character)
  const name = NAMES[code]
  const mark = html`<span class="unseen-mark"${name !== undefined && html` title="${name}"`}>U+${code}</span>`
  return code === '000A' ? html`${mark}<br>` : mark
}

/** The text with every unseen character named; whatever direction it has, it stays where it is. */
export function seenText(text: string): Html {
  const pieces: Insertion[] = []
  let plain = ''
  let marks = 0
  // By code point: half of a pair is a character of its own, and is named.
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0
    if (marks <= MAX_MARKS && !UNSEEN.test(character)) {
      plain += character
      continue
    }
    pieces.push(plain, named(character))
    plain = ''
  }
  return html`<bdi class="seen">${pieces}${plain}</bdi>`
}

/** The same, folded when it is long: its beginning and how much there is, and all of it when it is opened. */
export function seenLongText(text: string): Html {
  const characters = Array.from(text)
  if (characters.length <= FOLD_CHARACTERS) return seenText(text)
  const count = characters.length.toLocaleString('en-US')
  return html`<details class="folded long"><summary><span class="long-start">${seenText(characters.slice(0, SHOWN_CHARACTERS).join(''))}…</span> <span class="fold-note">All ${count} characters</span></summary><div class="long-all" tabindex="0" role="region" aria-label="The whole text">${seenText(text)}</div></details>`
}

/**
 * Why text that names somebody or some place may not be what it looks like, in words; undefined when nothing speaks for it.
 *
 * Letters of two scripts in one word look like one name and are another; a place or address with letters beyond ASCII may
 * look like one that is known.
 */
export function lookAlikeWarning(text: string): string | undefined {
  // Plain letters look like nothing else, but for hosts that stand for others; most text is done with here.
  if (!/[^\p{ASCII}]|xn--/iu.test(text)) return undefined
  for (const word of text.split(/[^\p{L}\p{M}\p{N}]+/u)) {
    const scripts = SCRIPTS.filter(([, letters]) => letters.test(word)).map(([name]) => name)
    if (scripts.length > 1) return `one word mixes ${scripts.join(' and ')} letters${listed(word)}`
  }
  const drawn = DRAWN_AS_PLAIN.exec(text)?.[0]
  if (drawn !== undefined) return `characters only look like plain ones${listed(drawn)}`
  const isOneWord = !/\s/.test(text)
  for (const place of text.match(isOneWord ? PLACE_OR_HOST : PLACE) ?? []) {
    if (/[^\p{ASCII}]/u.test(place)) return `an address or host has letters beyond ASCII${listed(place)}`
    if (/(?:^|[@./])xn--/i.test(place)) return 'a host is written in the form for letters beyond ASCII (xn--)'
  }
  return undefined
}

/** Which they are: a reader sees no difference, and is told. */
function listed(word: string): string {
  const beyond = [...new Set(word.match(/[^\p{ASCII}]/gu) ?? [])].slice(0, 6)
  return beyond.length === 0
    ? ''
    : `: ${beyond.map((character) => `${UNSEEN.test(character) ? 'there' : character} is U+${codeOf(character)}`).join(', ')}`
}

const SCRIPTS: readonly (readonly [name: string, letters: RegExp])[] = [
  ['Latin', /\p{Script=Latin}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['Cherokee', /\p{Script=Cherokee}/u],
  ['Hebrew', /\p{Script=Hebrew}/u],
  ['Arabic', /\p{Script=Arabic}/u],
]

/** Forms that are drawn like ASCII and are not: full width, and the letters and digits of formulas. */
const DRAWN_AS_PLAIN = /[\uff01-\uff5e\u{1d400}-\u{1d7ff}]{1,6}/u

/** An address, or what stands behind a scheme. Every repetition is bounded, so that no text takes longer than its length. */
const PLACE = /[\p{L}\p{M}\p{N}._%+-]{1,64}@[\p{L}\p{M}\p{N}.-]{1,255}|[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/?#]{1,255}/gu
/** A text without a blank may be a host by itself. */
const PLACE_OR_HOST = new RegExp(
  `${PLACE.source}|[\\p{L}\\p{M}\\p{N}-]{1,63}(?:\\.[\\p{L}\\p{M}\\p{N}-]{1,63}){1,30}`,
  'gu',
)
