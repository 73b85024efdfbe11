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
  private readonly at: string

  /** @param at where the server is reached, if that is not its origin: one of several processes. */
  constructor(origin: string, at = origin) {
    this.origin = origin
    this.at = at
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
    const cookie = [...this.cookies]
      .filter(([, { attributes }]) => isAt(new URL(path, this.origin).pathname, attributes.get('path') ?? '/'))
      .map(([name, { value }]) => `${name.split(';')[0]}=${value}`)
      .join('; ')
    const answer = await send(`${this.at}${path}`, {
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
    if (name.startsWith('__Secure-') && !attributes.has('secure'))
      throw new Error(`a browser refuses this cookie: ${line}`)
    const path = attributes.get('path') ?? '/'
    // One name may be kept for several paths.
    const key = path === '/' ? name : `${name};${path}`
    const isOver = attributes.get('max-age') === '0' || Date.parse(attributes.get('expires') ?? '') < Date.now()
    if (isOver) this.cookies.delete(key)
    else this.cookies.set(key, { value, attributes })
  }

  /** Follows redirects as long as they stay on this server; where it then stands, or where it is sent to. */
  async follow(answer: Answer): Promise<Answer & { readonly at: string }> {
    let [at, now] = ['', answer]
    for (let hops = 0; hops < 10; hops++) {
      const { location } = now.headers
      if (typeof location !== 'string') return { ...now, at }
      const url = new URL(location, this.origin)
      at = url.href
      if (url.origin !== this.origin) return { ...now, at }
      now = await this.get(`${url.pathname}${url.search}`)
    }
    throw new Error('it redirects for ever')
  }
}

/** (RFC 6265 §5.1.4) */
const isAt = (path: string, of: string) => path === of || path.startsWith(of.endsWith('/') ? of : `${of}/`)

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&#96;': '`' },
}
const decoded = (text: string) => text.replace(/&(?:amp|lt|gt|quot|#39|#96);/g, (entity) => ENTITIES[entity] ?? '')

/** What the form of a page says when nobody changes it: its fields as they are filled in. The sign-out form is left alone. */
export function formOf({ text }: Pick<Answer, 'text'>): Record<string, string> {
  const main = text.slice(text.indexOf('<main'))
  const fields: Record<string, string> = {}
  const attribute = (tag: string, name: string) => {
    const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
    return found === undefined ? undefined : decoded(found)
  }
  for (const [tag] of main.matchAll(/<input\b[^>]*>/g)) {
    const [name, type] = [attribute(tag, 'name'), attribute(tag, 'type')]
    const isOff = (type === 'checkbox' || type === 'radio') && !/\schecked\b/.test(tag)
    if (name !== undefined && !isOff) fields[name] = attribute(tag, 'value') ?? 'on'
  }
  for (const [select, , inner = ''] of main.matchAll(/<select\b([^>]*)>(.*?)<\/select>/gs)) {
    const chosen = /<option value="([^"]*)" selected>/.exec(inner)?.[1] ?? /<option value="([^"]*)"/.exec(inner)?.[1]
    fields[attribute(select, 'name') ?? ''] = decoded(chosen ?? '')
  }
  for (const [area, , inner = ''] of main.matchAll(/<textarea\b([^>]*)>(.*?)<\/textarea>/gs)) {
    fields[attribute(area, 'name') ?? ''] = decoded(inner)
  }
  return fields
}

/** The token of the forms of a page. */
export const csrfOf = ({ text }: Answer): string => /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
