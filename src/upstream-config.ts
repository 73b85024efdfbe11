import { isAbsolute, join } from 'node:path'
import { z } from 'zod'

const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Written as a URL parser writes it, so that no host is another than it looks: no octal or decimal address, no upper case. */
function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { href, username, password, search, hash } = new URL(text)
  return [text, `${text}/`].includes(href) && username === '' && password === '' && search === '' && hash === ''
}

/** An issuer on this machine, by http: for development and tests alone. */
export const isLoopbackIssuer = (issuer: string): boolean => {
  if (!URL.canParse(issuer)) return false
  const { protocol, hostname } = new URL(issuer)
  return protocol === 'http:' && LOOPBACK_HOSTS.has(hostname)
}

/** One OpenID provider by which principals may sign in. */
export const UpstreamConfig = z
  .strictObject({
    /** Part of the address that the provider sends browsers back to: `<issuer>/sign-in/upstream/<name>/callback`. */
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z 0-9 -'),
    /** What the button says. */
    title: z
      .string()
      .min(1)
      .max(60)
      .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'must be one line of text'),
    /** Its issuer identifier, exactly as its discovery document has it. */
    issuer: z.string().max(512).refine(isPlainUrl, 'must be a URL without query, in its plain form'),
    clientId: z.string().min(1).max(255),
    clientSecret: z.string().min(1).max(1_024).optional(),
    /** A file that holds it. Relative to the config file. */
    clientSecretFile: z.string().min(1).max(4_096).optional(),
    /** A file that holds a private JWK with `alg`, for `private_key_jwt`. Relative to the config file. */
    privateKeyFile: z.string().min(1).max(4_096).optional(),
    /** The content of that file; JSON text. */
    privateKey: z.string().min(1).max(16_384).optional(),
    scope: z
      .string()
      .max(255)
      .regex(/^openid( [\x21\x23-\x5b\x5d-\x7e]+)*$/, 'must begin with openid')
      .default('openid email'),
    /** Which principal somebody is who comes for the first time. */
    principal: z.strictObject({
      claim: z.string().regex(/^[\x21-\x7e]{1,200}$/),
      equals: z.enum(['email', 'id']),
      /** Default: true for `email`, false for `id`. */
      requireVerified: z.boolean().optional(),
    }),
  })
  .superRefine((upstream, context) => {
    const ways = [upstream.clientSecret, upstream.clientSecretFile, upstream.privateKeyFile, upstream.privateKey]
    if (ways.filter((way) => way !== undefined).length !== 1) {
      context.addIssue({ code: 'custom', message: 'needs one of clientSecret, clientSecretFile and privateKeyFile' })
    }
    if (!isPlainUrl(upstream.issuer)) return
    if (!upstream.issuer.startsWith('https://') && !isLoopbackIssuer(upstream.issuer)) {
      context.addIssue({ code: 'custom', path: ['issuer'], message: 'must be https, or http on a loopback host' })
    }
  })
export type UpstreamConfig = Readonly<z.infer<typeof UpstreamConfig>>

/** Puts what the files hold where the values themselves would stand. */
export function withUpstreamSecrets(
  { clientSecretFile, privateKeyFile, ...upstream }: UpstreamConfig,
  directory: string,
  readSecret: (path: string) => string,
): UpstreamConfig {
  const at = (path: string) => readSecret(isAbsolute(path) ? path : join(directory, path))
  return {
    ...upstream,
    ...(clientSecretFile !== undefined && { clientSecret: at(clientSecretFile) }),
    ...(privateKeyFile !== undefined && { privateKey: at(privateKeyFile) }),
  }
}
