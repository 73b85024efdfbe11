/** A piece of a template: words, or the names that lead to a member. */
export type TemplatePart = { readonly text: string } | { readonly path: readonly string[] }

/**
 * Parses a template: text with `{member.path}` and nothing else that is special. Undefined when a brace stands alone or
 * a path is not names joined by dots.
 */
export function parseTemplate(template: string): readonly TemplatePart[] | undefined {
  const parts: TemplatePart[] = []
  for (const piece of template.split(/(\{[^{}]*\})/)) {
    if (piece === '') continue
    if (!piece.startsWith('{')) {
      if (/[{}]/.test(piece)) return undefined
      parts.push({ text: piece })
      continue
    }
    const path = piece.slice(1, -1)
    if (!/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(path)) return undefined
    parts.push({ path: path.split('.') })
  }
  return parts
}
