/** Paths of members as refusals name them: `to[0]`, `instructedAmount.amount`. The empty path is the value itself. */

export function memberPath(name: string, rest: string): string {
  return rest === '' || rest.startsWith('[') ? name + rest : `${name}.${rest}`
}

export function elementPath(index: number, rest: string): string {
  return memberPath(`[${index}]`, rest)
}
