import { type Answer, FORM, send } from './clients.ts'

interface Kept {
  readonly value: string
  readonly attributes: ReadonlyMap<string, string>
}

export interface Visit {
  readonly method?: string
  /** What a form says. */
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: readonly (readonly [string, string])[]
  /** Instead of the headers that a browser says of a request by its own page. */
  readonly from?: readonly (readonly [string, string])[]
}

/**
 * As much of a browser as sign-in needs: it keeps cookies by their rules, and says of each request where it comes from. It follows no
 * redirect and runs no script: a test says what it does next.
 */
export class Browser {
  readonly cookies = new Map<string, Kept>()
  readonly origin: string

  constructor(origin: string) {
    this.origin = origin
  }

  /** Opens a page of the server. */
  get(path: string, visit: Visit = {}): Promise<Answer> {
    return this.visit(path, { ...visit, method: visit.method ?? 'GET' })
  }

  /** Sends a form, as a page of the server does. */
  post(path: string, form: Readonly<Record<string, string>> = {}, visit: Visit = {}): Promise<Answer> {
    const from = visit.from ?? [
      ['Origin', this.origin],
      ['Sec-Fetch-Site', 'same-origin'],
    ]
    return this.visit(path, { ...visit, method: 'POST', form, from })
  }

  async visit(path: string, { method = 'GET', form, headers = [], from = [] }: Visit): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ')
    const answer = await send(`${this.origin}${path}`, {
      method,
      headers: [
        ['User-Agent', 'a test browser'],
        ...(cookie === '' ? [] : [['Cookie', cookie] as const]),
        ...(form === undefined ? [] : [FORM]),
        ...from,
        ...headers,
      ],
      ...(form !== undefined && { body: new URLSearchParams(form).toString() }),
    })
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) this.keep(line)
    return answer
  }

  /** Keeps a cookie, or refuses it as a browser does: `__Host-` demands Secure, Path=/ and no Domain (RFC 6265bis §4.1.3.2). */
  private keep(line: string): void {
    const [pair = '', ...parts] = line.split(';').map((part) => part.trim())
    const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
    const attributes = new Map(
      parts.map((part) => {
        const [key = '', text = ''] = part.split('=')
        return [key.toLowerCase(), text] as const
      }),
    )
    if (name.startsWith('__Host-')) {
      const isTaken = attributes.has('secure') && attributes.get('path') === '/' && !attributes.has('domain')
      if (!isTaken) throw new Error(`a browser refuses this cookie: ${line}`)
    }
    if (attributes.get('max-age') === '0') this.cookies.delete(name)
    else this.cookies.set(name, { value, attributes })
  }
}

/** The token of the forms of a page. */
export const csrfOf = ({ text }: Answer): string => /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
