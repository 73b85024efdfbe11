/**
 * Characters that a terminal obeys instead of showing them, or that make others be seen elsewhere. What an agent wrote
 * comes by here (an action's values, a label), and may neither move the cursor nor turn words around. Blanks but the ASCII
 * space, and what is drawn as nothing, belong to them: two values that look the same are the same. So do marks that strike out.
 */
const UNSEEN =
  /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800]|[\u0334-\u0338]|[\u20d2-\u20e8]|\p{Me}|\p{Default_Ignorable_Code_Point}/gu

const codeOf = (character: string) => (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')

/** One line of text with everything unseen named. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => `⟨U+${codeOf(character)}⟩`)
}

/** The same for text of several lines. */
export const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n')

/** JSON that is the same value for a program, and harmless on a terminal. */
export function jsonText(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(UNSEEN, (character) =>
    character === '\n'
      ? character
      : Array.from(
          { length: character.length },
          (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
        ).join(''),
  )
}
