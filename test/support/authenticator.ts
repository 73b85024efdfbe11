import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'

/** What an answer may deviate in. */
export interface AnswerDeviation {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  readonly isUserVerified?: boolean
  readonly counter?: number
  readonly userHandle?: string
  readonly id?: string
  /** Of a registration. */
  readonly format?: string
  readonly statement?: Buffer
  /** Of an authentication: signed by another key. */
  readonly key?: KeyObject
}

interface Options {
  readonly challenge: string
  readonly rpId?: string
  readonly rp?: { readonly id: string }
  readonly user?: { readonly id: string }
}

/**
 * An authenticator in software: one discoverable ES256 passkey, answering as the WebAuthn API of a browser would (WebAuthn Level 2
 * §6.1, §6.5). It counts, or says 0 for ever.
 */
export class Authenticator {
  readonly id = randomBytes(16).toString('base64url')
  readonly pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  counter: number
  userHandle = ''
  private readonly origin: string

  constructor(origin: string, { isCounting = true } = {}) {
    this.origin = origin
    this.counter = isCounting ? 0 : -1
  }

  /** `navigator.credentials.create`. */
  create(options: Options, deviation: AnswerDeviation = {}): string {
    this.userHandle = options.user?.id ?? ''
    const clientDataJSON = this.clientData('webauthn.create', options.challenge, deviation)
    const credential = Buffer.concat([
      Buffer.alloc(16),
      Buffer.from([0, 16]),
      Buffer.from(this.id, 'base64url'),
      this.coseKey(),
    ])
    const data = Buffer.concat([this.data(options.rp?.id ?? '', 0x40, deviation), credential])
    const attestationObject = cborMap([
      ['fmt', cborText(deviation.format ?? 'none')],
      ['attStmt', deviation.statement ?? cborMap([])],
      ['authData', cborBytes(data)],
    ])
    return JSON.stringify({
      ...{
        id: deviation.id ?? this.id,
        rawId: deviation.id ?? this.id,
        type: 'public-key',
        clientExtensionResults: {},
      },
      response: {
        clientDataJSON: clientDataJSON.toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal', 'unheard-of'],
      },
    })
  }

  /** `navigator.credentials.get`. */
  get(options: Options, deviation: AnswerDeviation = {}): string {
    const clientDataJSON = this.clientData('webauthn.get', options.challenge, deviation)
    const data = this.data(options.rpId ?? '', 0, deviation)
    const signed = Buffer.concat([data, createHash('sha256').update(clientDataJSON).digest()])
    return JSON.stringify({
      ...{
        id: deviation.id ?? this.id,
        rawId: deviation.id ?? this.id,
        type: 'public-key',
        clientExtensionResults: {},
      },
      response: {
        clientDataJSON: clientDataJSON.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: createSign('sha256')
          .update(signed)
          .sign(deviation.key ?? this.pair.privateKey)
          .toString('base64url'),
        userHandle: deviation.userHandle ?? this.userHandle,
      },
    })
  }

  private clientData(type: string, challenge: string, deviation: AnswerDeviation): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: deviation.type ?? type,
        challenge: deviation.challenge ?? challenge,
        origin: deviation.origin ?? this.origin,
        crossOrigin: deviation.crossOrigin ?? false,
      }),
    )
  }

  private data(rpId: string, flags: number, deviation: AnswerDeviation): Buffer {
    if (this.counter >= 0) this.counter += 1
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(deviation.counter ?? Math.max(0, this.counter))
    const verified = (deviation.isUserVerified ?? true) ? 0x04 : 0
    return Buffer.concat([
      createHash('sha256')
        .update(deviation.rpId ?? rpId)
        .digest(),
      Buffer.from([0x01 | verified | flags]),
      counter,
    ])
  }

  /** COSE_Key of an ES256 key (RFC 9053 §7.1.1). */
  private coseKey(): Buffer {
    const { x = '', y = '' } = this.pair.publicKey.export({ format: 'jwk' })
    return Buffer.concat([
      Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
      cborBytes(Buffer.from(x, 'base64url')),
      Buffer.from([0x22]),
      cborBytes(Buffer.from(y, 'base64url')),
    ])
  }
}

const head = (major: number, length: number): Buffer =>
  length < 24
    ? Buffer.from([(major << 5) | length])
    : length < 256
      ? Buffer.from([(major << 5) | 24, length])
      : Buffer.from([(major << 5) | 25, length >> 8, length & 0xff])
export const cborText = (text: string): Buffer => Buffer.concat([head(3, Buffer.byteLength(text)), Buffer.from(text)])
export const cborBytes = (bytes: Buffer): Buffer => Buffer.concat([head(2, bytes.length), bytes])
export const cborList = (items: readonly Buffer[]): Buffer => Buffer.concat([head(4, items.length), ...items])
export const cborMap = (members: readonly (readonly [string, Buffer])[]): Buffer =>
  Buffer.concat([head(5, members.length), ...members.flatMap(([name, value]) => [cborText(name), value])])
