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
  // Two questions: one that ignores case would take the Kelvin sign for a k.
  if (!/[^\p{ASCII}]/u.test(text) && !/xn--/i.test(text)) return undefined
  for (const word of text.split(/[^\p{L}\p{M}\p{N}]+/u)) {
    const scripts = SCRIPTS.filter(([, letters]) => letters.test(word)).map(([name]) => name)
    if (scripts.length > 1) return `one word mixes ${scripts.join(' and ')} letters${listed(word)}`
  }
  const drawn = [...text].filter(isDrawnAsPlain).join('') || (FOREIGN_STOP.exec(text)?.[0] ?? '')
  if (drawn !== '') return `characters only look like plain ones${listed(drawn)}`
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
  ['Lisu', /\p{Script=Lisu}/u],
]

/**
 * A form that is drawn like ASCII and is none: full width, circled, ligatures, Roman numerals, the letters and digits of formulas.
 * Unicode names what each is a form of (NFKC); that superscripts are small, and blanks blank, is seen.
 */
const isDrawnAsPlain = (character: string) =>
  DRAWN_LIKE_SIGNS.test(character) ||
  (/[^\p{ASCII}\p{Z}]/u.test(character) &&
    !SEEN_AS_WHAT_IT_IS.test(character) &&
    /^(?:[!-~]|[A-Za-z]{2,4})$/.test(character.normalize('NFKC')))
/** Superscripts and subscripts, and signs of their own: ℠ ™ № ℡. */
const SEEN_AS_WHAT_IT_IS =
  /[\u00aa\u00b2\u00b3\u00b9\u00ba\u02b0-\u02e4\u2070-\u209c\u1d2c-\u1d6a\u2116\u2120\u2121\u2122]/u
/** Fraction and division slashes, set minus, hyphens and minus, and every letter of formulas, Greek ones among them. */
const DRAWN_LIKE_SIGNS = /[\u2044\u2215\u2216\u29f8\u29f9\u2010-\u2012\u2212\u{1d400}-\u{1d7ff}]/u
/** A stop of scripts that these letters are not of: it ends no sentence here, and hosts are read as if it were a dot (UTS #46). */
const FOREIGN_STOP =
  /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}0-9][\u3002\uff61](?=[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}])/u

/** An address, or what stands behind a scheme. Every repetition is bounded, so that no text takes longer than its length. */
const PLACE = /[\p{L}\p{M}\p{N}._%+-]{1,64}@[\p{L}\p{M}\p{N}.-]{1,255}|[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/?#]{1,255}/gu
/** A text without a blank may be a host by itself. */
const PLACE_OR_HOST = new RegExp(
  `${PLACE.source}|[\\p{L}\\p{M}\\p{N}-]{1,63}(?:\\.[\\p{L}\\p{M}\\p{N}-]{1,63}){1,30}`,
  'gu',
)
