import { Browser } from './browser.ts'
import { type AdminApi, adminApi, type TestClient } from './clients.ts'

/** Principals of a server as their browsers see it. */
export interface People {
  readonly api: AdminApi
  /** Registers a principal with a name that no other test has. */
  readonly register: (members?: object) => Promise<string>
  /** The path of a one-time link. */
  readonly linkFor: (principal: string, body?: object) => Promise<{ readonly id: string; readonly path: string }>
  /** A browser in which the principal is signed in. */
  readonly signedIn: (principal: string) => Promise<Browser>
}

let count = 0

export async function peopleOf(server: { readonly issuer: string; readonly admin: TestClient }): Promise<People> {
  const api = await adminApi(server.issuer, server.admin)
  const create = async (path: string, body: object) => {
    const answer = await api.call('POST', path, body)
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }
  const linkFor: People['linkFor'] = async (principal, body = {}) => {
    const { id, url } = await create(`/admin/principals/${principal}/sign-in-links`, body)
    return { id, path: new URL(url).pathname }
  }
  return {
    api,
    register: async (members = {}) => {
      count += 1
      const id = `person-${process.pid}-${count}`
      await create('/admin/principals', { id, kind: 'person', name: `Person ${count}`, ...members })
      return id
    },
    linkFor,
    signedIn: async (principal) => {
      const browser = new Browser(server.issuer)
      const { path } = await linkFor(principal)
      const answer = await browser.post(path)
      if (answer.status !== 303) throw new Error(`the link did not sign in: ${answer.status} ${answer.text}`)
      return browser
    },
  }
}
