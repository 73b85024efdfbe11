import { z } from 'zod'
import { clearHostCookie, type RequestHolder, type ResponseHolder, readCookie, setHostCookie } from './cookie.ts'

/** Seals what a browser keeps for this server and shall neither read nor change: authenticated encryption under a name. */
export interface Sealing {
  readonly seal: (content: Uint8Array, name: string) => Uint8Array
  /** @throws when it was sealed under another name or key, or changed. */
  readonly open: (sealed: Uint8Array, name: string) => Uint8Array
}

/** Something that one browser holds for a few minutes between two of its requests. */
export interface SealedCookie<Content> {
  readonly give: (answering: ResponseHolder, content: Content) => void
  /** What it holds, if it is whole and not too old; the browser is told to forget it. */
  readonly take: (holder: RequestHolder & ResponseHolder) => Content | undefined
}

export interface SealedCookieParts<Content> {
  /** Begins with `__Host-`. */
  readonly name: string
  readonly content: z.ZodType<Content>
  readonly lifetimeSeconds: number
  readonly sealing: Sealing
  readonly now: () => Date
}

export function sealedCookie<Content>(parts: SealedCookieParts<Content>): SealedCookie<Content> {
  const { name, content, lifetimeSeconds, sealing, now } = parts
  const context = `cookie:${name}`
  const Sealed = z.strictObject({ until: z.number(), content })
  const open = (value: string): Content | undefined => {
    if (!/^[A-Za-z0-9_-]+$/.test(value)) return undefined
    try {
      const text = Buffer.from(sealing.open(Buffer.from(value, 'base64url'), context)).toString('utf8')
      const sealed = Sealed.safeParse(JSON.parse(text))
      return sealed.success && sealed.data.until > now().getTime() ? (sealed.data.content as Content) : undefined
    } catch {
      // Another key, another name, or changed by whoever sent it: it is none of ours.
      return undefined
    }
  }
  return {
    give: (answering, held) => {
      const until = now().getTime() + lifetimeSeconds * 1_000
      const sealed = sealing.seal(Buffer.from(JSON.stringify({ until, content: held })), context)
      setHostCookie(answering, name, Buffer.from(sealed).toString('base64url'), lifetimeSeconds)
    },
    take: (holder) => {
      const value = readCookie(holder, name)
      if (value === undefined) return undefined
      clearHostCookie(holder, name)
      return open(value)
    },
  }
}
