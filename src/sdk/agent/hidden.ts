/**
 * Gives an object a secret that can be read by its name and is never shown: not by inspecting, as JSON, or in a copy.
 *
 * @returns the same object, frozen.
 */
export function hide<Shown extends object, Name extends string>(
  shown: Shown,
  name: Name,
  secret: string,
): Shown & { readonly [member in Name]: string } {
  // A getter, so that inspecting with hidden members shows that there is one and not what it is.
  Object.defineProperty(shown, name, { get: () => secret, enumerable: false })
  return Object.freeze(shown) as Shown & { readonly [member in Name]: string }
}
