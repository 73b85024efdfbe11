/**
 * Every value of a header, as many times as it was sent.
 *
 * Node joins or drops repeated headers in `headers`; whoever must see a second one counts the raw ones.
 *
 * @param name in lower case.
 */
export function headerValues({ rawHeaders }: { readonly rawHeaders: readonly string[] }, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const there = rawHeaders[i] ?? ''
    // Header names are ASCII, whose lower case is as long: most are told apart by their length.
    if (there.length === name.length && there.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}
