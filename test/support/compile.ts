import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Some source files as JavaScript, for processes of their own: Node 20 runs no TypeScript. */
export interface Compiled {
  /** The URL to import a source file by, given its path under `src/` without the ending. */
  readonly urlOf: (source: string) => string
  readonly remove: () => void
}

/** Compiles files of `src/` (paths without the ending) and what they import; types are checked elsewhere. */
export function compileSources(...sources: readonly [string, ...string[]]): Compiled {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const cache = join(root, 'node_modules/.cache/writ')
  mkdirSync(cache, { recursive: true })
  // Below node_modules, so that the compiled files find the packages.
  const folder = mkdtempSync(join(cache, 'compiled-'))
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      ...['--ignoreConfig', '--noCheck', '--skipLibCheck', '--rewriteRelativeImportExtensions'],
      ...['--target', 'es2023', '--module', 'nodenext', '--types', 'node'],
      ...['--rootDir', join(root, 'src'), '--outDir', folder],
      ...sources.map((source) => join(root, 'src', `${source}.ts`)),
    ],
    { cwd: root, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`tsc failed: ${stdout}`)
  return {
    urlOf: (source) => pathToFileURL(join(folder, `${source}.js`)).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
