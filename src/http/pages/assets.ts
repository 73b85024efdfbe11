import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Router from '@koa/router'
import { FOLLOW_SCRIPT } from './assets/follow.ts'
import { ICON } from './assets/icon.ts'
import { PASSKEY_SCRIPT } from './assets/passkey.ts'
import { STYLE } from './assets/style.ts'

interface Asset {
  readonly path: string
  readonly type: string
  readonly text: string
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** What pages load, by name. Each is served under a name that changes with it, and so may be kept for ever. */
const ASSETS: ReadonlyMap<string, Asset> = new Map(
  [
    ['style.css', STYLE],
    ['icon.svg', ICON],
    ['follow.js', FOLLOW_SCRIPT],
    ['simplewebauthn.js', webauthnLibrary()],
    ['passkey.js', PASSKEY_SCRIPT],
  ].map(([name = '', text = '']) => [name, asset(name, text)]),
)

/** Where a page finds an asset. @throws when there is none of this name. */
export function assetPath(name: string): string {
  const found = ASSETS.get(name)
  if (found === undefined) throw new Error(`there is no asset ${name}`)
  return found.path
}

/** `GET /assets/<name>.<digest>.<ending>`: the same for everyone. */
export function assetsRouter(): Router {
  const byPath = new Map([...ASSETS.values()].map((asset) => [asset.path, asset]))
  const router = new Router({ strict: true, sensitive: true })
  router.get('/assets/:file', async (context, next) => {
    const found = byPath.get(context.path)
    if (found === undefined) {
      await next()
      return
    }
    context.set('Cache-Control', 'public, max-age=31536000, immutable')
    context.set('Cross-Origin-Resource-Policy', 'same-origin')
    // An SVG is a document too, for who opens it by itself.
    context.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
    context.type = found.type
    context.body = found.text
  })
  return router
}

function asset(name: string, text: string): Asset {
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, 16)
  const dot = name.lastIndexOf('.')
  const ending = name.slice(dot + 1)
  return {
    path: `/assets/${name.slice(0, dot)}.${digest}.${ending}`,
    type: TYPES[ending] ?? 'text/plain',
    text,
  }
}

/** The browser's side of passkeys, as its package brings it: a script that is complete in itself. */
function webauthnLibrary(): string {
  // The package's entry for Node is `<package>/script/index.js`.
  const entry = createRequire(import.meta.url).resolve('@simplewebauthn/browser')
  return readFileSync(join(dirname(dirname(entry)), 'dist/bundle/index.umd.min.js'), 'utf8')
}
