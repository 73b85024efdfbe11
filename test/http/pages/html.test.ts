import { describe, expect, test } from 'vitest'
import { lookAlikeWarning, seenLongText, seenText } from '../../../src/http/pages/components/seen-text.ts'
import { type Html, html, htmlText } from '../../../src/http/pages/html.ts'

const shown = (markup: Html) => htmlText(markup)

describe('a template', () => {
  test.each([
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    [`" onload='x' \`y\``, '&quot; onload=&#39;x&#39; &#96;y&#96;'],
    ['&lt;', '&amp;lt;'],
  ])('escapes %s wherever it stands', (text, escaped) => {
    expect(shown(html`<p title="${text}">${text}</p>`)).toBe(`<p title="${escaped}">${escaped}</p>`)
  })

  test('shows nothing of what is not there, and every element of a list', () => {
    expect(shown(html`${undefined}${null}${false}${[html`<b>`, '<', 1]}`)).toBe('<b>&lt;1')
  })

  test('nothing that comes from outside passes for markup', () => {
    for (const forged of [{ markup: '<b>' }, JSON.parse('{"Symbol(markup)":"<b>"}'), { toString: () => '<b>' }]) {
      expect(() => html`${forged as unknown as Html}`).toThrow('neither text nor markup')
    }
  })
})

describe('text that an agent wrote', () => {
  test.each([
    ['right-to-left override', 'pay \u202egnp.exe', 'U+202E'],
    ['zero-width space', 'bo\u200bb', 'U+200B'],
    ['NUL and escape', 'a\u0000\u001b[31m', 'U+0000'],
    ['no-break space', 'a\u00a0b', 'U+00A0'],
    ['hangul filler', 'a\u3164b', 'U+3164'],
    ['variation selector', 'a\ufe0fb', 'U+FE0F'],
    ['combining grapheme joiner', 'a\u034fb', 'U+034F'],
    ['khmer inherent vowel', 'a\u17b4b', 'U+17B4'],
    ['stroke through', 'a\u0336b', 'U+0336'],
    ['enclosing circle', 'a\u20ddb', 'U+20DD'],
    ['fourth mark on one letter', 'a\u0301\u0302\u0303\u0304b', 'U+0304'],
    ['tag character', 'a\u{e0041}b', 'U+E0041'],
    ['lone surrogate', 'a\ud800b', 'U+D800'],
  ])('names a %s', (_name, text, code) => {
    const markup = shown(seenText(text))
    expect(markup).toContain(`>${code}</span>`)
    expect(markup).not.toMatch(/\p{C}|\u00a0|\u3164|\ufe0f|\p{Default_Ignorable_Code_Point}/u)
    expect(markup).toMatch(/^<bdi class="seen">/)
  })

  test('a line break is named and kept', () => {
    expect(shown(seenText('a\nb'))).toContain('U+000A</span><br>b')
  })

  test('is folded when it is long, and complete', () => {
    const text = `${'<b>'.repeat(3_000)}end`
    const markup = shown(seenLongText(text))
    expect(markup).toContain('All 9,003 characters')
    expect(markup).toContain(`${'&lt;b&gt;'.repeat(3_000)}end`)
    expect(markup).not.toContain('<b>')
  })
})

describe('names that look like others', () => {
  test.each([
    ['bob@example.com', undefined],
    ['Grüße an alle, bis morgen.', undefined],
    ['Übung.Danach geht es weiter', undefined],
    ['bоb@example.com', 'mixes Latin and Cyrillic letters: о is U+043E'],
    ['аррӏе.com', 'beyond ASCII'],
    ['https://еxample.com/a', 'U+0435'],
    ['bücher.de', 'ü is U+00FC'],
    ['https://xn--80ak6aa92e.com/', 'xn--'],
    ['Dear pаypal team', 'Latin and Cyrillic'],
    ['ｐａｙｐａｌ', 'only look like plain ones: ｐ is U+FF50'],
    ['pay 𝐁𝐨𝐛', 'only look like plain ones'],
    ['paⅰd', 'only look like plain ones: ⅰ is U+2170'],
    ['20 \u212a', 'U+212A'],
    ['pa\u017fs', 'ſ is U+017F'],
    ['ⓟay', 'ⓟ is U+24DF'],
    ['bob﹫example.com', '﹫ is U+FE6B'],
    ['example。com', '。 is U+3002'],
    ['example․com', 'U+2024'],
    ['https:⁄⁄example.com', '⁄ is U+2044'],
    ['明日送ります。よろしく', undefined],
    ['使用API。2024年', undefined],
    ['shop。рф', '。 is U+3002'],
    ['café。com', '。 is U+3002'],
    ['con\ufb01rm', 'U+FB01'],
    ['Henry Ⅻ', 'Ⅻ is U+216B'],
    ['pay\u2010pal.example', 'U+2010'],
    ['\u{1d6a8}pple', 'U+1D6A8'],
    ['\u{1d6a4}nvoice', 'U+1D6A4'],
    ['\ua4eePPle', 'Latin and Lisu'],
    ['Writ™ costs 3 € – or 4 €', undefined],
    ['5 m² and x₁, 3½ hours, “so”, 1ª', undefined],
  ])('%s', (text, expected) => {
    const warning = lookAlikeWarning(text)
    if (expected === undefined) expect(warning).toBeUndefined()
    else expect(warning).toContain(expected)
  })

  test('no text takes long to look at', () => {
    // Time of the processor: what else runs on the machine takes none of it. Squared, each of these took minutes.
    const before = process.cpuUsage()
    for (const text of ['a', 'a-', 'a.', 'ab.', 'a:/', 'é']) {
      lookAlikeWarning(`${text.repeat(Math.floor(65_000 / text.length))}é`)
    }
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(6_000)
  })
})
