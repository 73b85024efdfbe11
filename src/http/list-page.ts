const MiB = 1024 * 1024
/** A page ends here, however few its items are: making one of many megabytes would keep everybody else waiting. */
const MAX_PAGE_CHARACTERS = MiB

/** One page of a list, as JSON text. */
export interface ListPage<Item> {
  /** The items, without the brackets around them. */
  readonly text: string
  /** The item after which the next page begins; undefined: there is none. */
  readonly last: Item | undefined
}

/**
 * Makes a page of at most `limit` items and about 1 MiB; the first item is in it whatever its size.
 *
 * @param found what was found: one more than `limit`, if there are so many.
 */
export function listPage<Item>(found: readonly Item[], limit: number, textOf: (item: Item) => string): ListPage<Item> {
  const texts: string[] = []
  let characters = 0
  for (const item of found.slice(0, limit)) {
    const text = textOf(item)
    if (texts.length > 0 && characters + text.length > MAX_PAGE_CHARACTERS) break
    texts.push(text)
    characters += text.length
  }
  return { text: texts.join(','), last: found.length > texts.length ? found[texts.length - 1] : undefined }
}
