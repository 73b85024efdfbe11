import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { freePort } from './server-process.ts'

/** No container engine runs here: what the files say is checked as far as it can be without one. */
interface Service {
  readonly image: string
  readonly build?: string
  readonly user?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, object>>
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const compose: Compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true })
const services = Object.entries(compose.services)

/** The instructions of the last stage, each on its line. */
const dockerfile = readFileSync('Dockerfile', 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
const lastStage = dockerfile.slice(dockerfile.findLastIndex((line) => line.startsWith('FROM ')) + 1)
const copies = (lines: readonly string[]) =>
  lines
    .filter((line) => line.startsWith('COPY '))
    .map((line) => {
      const words = line.split(' ').slice(1)
      const isFromBuild = words[0] === '--from=build'
      const paths = (isFromBuild ? words.slice(1) : words).map((path) => path.replace(/^\/app\//, ''))
      return { isFromBuild, sources: paths.slice(0, -1), target: paths.at(-1) as string }
    })

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-deploy-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('docker-compose.yml', () => {
  test('is what the Compose Specification calls a file, and a wrong one is not', () => {
    // https://github.com/compose-spec/compose-spec/blob/170098ba07d9/schema/compose-spec.json
    const schema = JSON.parse(readFileSync('test/vectors/compose-spec.json', 'utf8'))
    const { $schema: _, ...draft7 } = schema
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(draft7)
    validate(compose)
    expect(validate.errors).toBeNull()
    expect(validate({ ...compose, services: { first: { image: 'writ', readonly: true } } })).toBe(false)
  })

  test.each(services)('%s is confined, not root, healthy by a check, and of an exact version', (_, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
    if (service.image === 'writ') {
      expect(lastStage.filter((line) => line.startsWith('USER '))).toEqual(['USER node'])
      expect(service.user).toBeUndefined()
      expect(service.healthcheck ?? lastStage.find((line) => line.startsWith('HEALTHCHECK '))).toBeDefined()
    } else {
      expect(service.user).toMatch(/^[a-z]+$/)
      expect(service.user).not.toBe('root')
      expect(service.healthcheck).toBeDefined()
      expect(service.image).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z]+)?$/)
    }
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test.each(services)('everything %s names is there', (_, service) => {
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':')
      if (source.startsWith('.')) expect(existsSync(source), source).toBe(true)
      else expect(Object.keys(compose.volumes)).toContain(source)
    }
    for (const secret of service.secrets ?? []) expect(Object.keys(compose.secrets)).toContain(secret)
    for (const [name, value] of Object.entries(service.environment ?? {})) {
      const [, secret] = /^\/run\/secrets\/(.+)$/.exec(value) ?? []
      if (secret !== undefined) expect(service.secrets, name).toContain(secret)
    }
    for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services)).toContain(other)
    for (const command of [service.command, service.healthcheck?.test.slice(1)]) {
      if (command?.[0] !== 'node') continue
      expect(existsSync(command[1] as string), command[1]).toBe(true)
      expect(copies(lastStage).flatMap(({ sources }) => sources)).toContain(command[1])
    }
  })

  test('the secrets are made by the script, once, in a folder that is its owner’s alone', () => {
    const made = join(folder, 'secrets')
    // On a machine whose users keep what they make to themselves.
    const command = 'umask 077 && exec "$0" deploy/make-secrets.mjs "$1"'
    const make = () => spawnSync('sh', ['-c', command, process.execPath, made], { encoding: 'utf8' })
    expect(make().status).toBe(0)
    expect(statSync(made).mode & 0o777).toBe(0o700)
    const read = (name: string) => readFileSync(join(made, name), 'utf8').trim()
    for (const { file } of Object.values(compose.secrets)) {
      expect(file).toMatch(/^\.\/deploy\/secrets\//)
      const name = file.slice('./deploy/secrets/'.length)
      expect(read(name)).not.toBe('')
      // The users of the containers are others than who made it.
      expect(statSync(join(made, name)).mode & 0o777).toBe(0o444)
    }
    const before = read('key_encryption_key')
    expect(make()).toMatchObject({ status: 0, stderr: expect.stringContaining('nothing was changed') })
    expect(read('key_encryption_key')).toBe(before)
    rmSync(join(made, 'database_url'))
    expect(make().status).toBe(1)
  })

  test('the settings of the servers are settings, and say what the services are called', () => {
    const made = join(folder, 'secrets-of-servers')
    spawnSync(process.execPath, ['deploy/make-secrets.mjs', made])
    const { first, second, database } = compose.services
    expect(first?.environment).toEqual(second?.environment)
    const environment = Object.fromEntries(
      Object.entries(first?.environment ?? {}).map(([name, value]) => [
        name,
        value.replace(/^\/run\/secrets/, made).replace(/^\$\{\w+:-(.*)\}$/, '$1'),
      ]),
    )
    const config = readConfig({ ...environment, ...Object.fromEntries(imageEnvironment()) })
    expect(config).toMatchObject({ host: '0.0.0.0', port: 3000, dataDirectory: '/data', workers: 1 })
    const url = new URL(config.databaseUrl ?? '')
    expect(compose.services[url.hostname]).toBe(database)
    expect(database?.environment).toMatchObject({ POSTGRES_USER: url.username, POSTGRES_DB: url.pathname.slice(1) })
    expect(url.password).toBe(readFileSync(join(made, 'database_password'), 'utf8').trim())
    for (const name of ['WRIT_SERVER_1', 'WRIT_SERVER_2']) {
      const [host = '', port] = compose.services.balancer?.environment?.[name]?.split(':') ?? []
      expect(compose.services[host]?.image).toBe('writ')
      expect(port).toBe('3000')
    }
  })
})

/** What the image sets, NODE_ENV left to the compose file. */
const imageEnvironment = (): [string, string][] =>
  lastStage
    .filter((line) => line.startsWith('ENV '))
    .flatMap((line) => line.slice(4).split(' '))
    .map((pair) => pair.split('=') as [string, string])
    .filter(([name]) => name !== 'NODE_ENV')

describe('Dockerfile', () => {
  test('copies what is there and is not ignored; its base has an exact version', () => {
    const ignored = readFileSync('.dockerignore', 'utf8').split('\n').filter(Boolean)
    const own = copies(dockerfile).filter(({ isFromBuild }) => !isFromBuild)
    expect(own.length).toBeGreaterThan(3)
    for (const source of own.flatMap(({ sources }) => sources)) {
      expect(existsSync(source), source).toBe(true)
      expect(
        ignored.some((path) => source === path || source.startsWith(`${path}/`)),
        source,
      ).toBe(false)
    }
    for (const secret of Object.values(compose.secrets)) {
      expect(ignored.some((path) => secret.file.startsWith(`./${path}/`))).toBe(true)
    }
    expect(dockerfile[0]).toMatch(/^ARG NODE_IMAGE=node:\d+\.\d+\.\d+-[a-z]+-slim$/)
  })

  test('what the last stage holds, and no package for development, is enough to serve', async () => {
    const image = join(folder, 'image')
    for (const { isFromBuild, sources, target } of copies(lastStage)) {
      for (const source of sources) {
        if (source === 'node_modules') copyProductionPackages(join(image, target))
        else {
          const to = target.endsWith('/') ? join(image, target, source.slice(target.length)) : join(image, target)
          mkdirSync(dirname(isFromBuild || target !== './' ? to : join(image, source)), { recursive: true })
          cpSync(source, target === './' ? join(image, source) : to, { recursive: true })
        }
      }
    }
    expect(existsSync(join(image, 'node_modules/typescript'))).toBe(false)
    const port = await freePort()
    const [, program = ''] = JSON.parse(lastStage.find((line) => line.startsWith('CMD '))?.slice(4) ?? '[]')
    const [, check = '', url = ''] = JSON.parse(
      /HEALTHCHECK .* CMD (\[.*\])$/.exec(lastStage.find((line) => line.startsWith('HEALTHCHECK ')) ?? '')?.[1] ?? '[]',
    )
    const environment = {
      ...Object.fromEntries(imageEnvironment()),
      ...{ PATH: process.env.PATH, WRIT_HOST: '127.0.0.1', WRIT_PORT: String(port) },
      ...{ WRIT_DATA_DIR: join(folder, 'data'), WRIT_LOG_LEVEL: 'error' },
    }
    const server = spawn(process.execPath, [program], { cwd: image, env: environment })
    const complaints = text(server.stderr)
    try {
      const isHealthy = () =>
        spawnSync(process.execPath, [check, url.replace(':3000', `:${port}`)], { cwd: image, encoding: 'utf8' })
      expect(isHealthy().status).toBe(1)
      const ended = new Promise((resolve) => server.once('exit', resolve))
      const isUp = await Promise.race([
        new Promise((resolve) => server.stdout.once('data', () => resolve(true))),
        ended.then(() => false),
      ])
      expect(isUp ? '' : await complaints).toBe('')
      expect(isHealthy()).toMatchObject({ status: 0, stderr: '' })
      server.kill('SIGTERM')
      expect(await ended).toBe(0)
    } finally {
      server.kill('SIGKILL')
    }
  })
})

/** As `npm prune --omit=dev` leaves it. */
function copyProductionPackages(target: string): void {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  for (const [path, { dev, devOptional }] of Object.entries(packages)) {
    if (path === '' || dev || devOptional || !existsSync(path)) continue
    cpSync(path, join(target, path.slice('node_modules/'.length)), {
      recursive: true,
      // What is nested is a package of its own, with its own entry.
      filter: (source) => source === path || !source.slice(path.length).includes('/node_modules'),
    })
  }
}
