import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * What a door for machines sees of a request, and how it answers: the part of Koa's context that these doors use, so that
 * one door can stand behind Koa or before it (direct-door.ts).
 */
export interface Door {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly state: {
    readonly requestId: string
    /** For whoever measures: the code of the refusal that was answered, and whether it was an exchange that was asked for. */
    refusal?: string
    isExchange?: boolean
  }
  status: number
  /** An object is answered as JSON. */
  body: unknown
  /** Media type of a body that is text. */
  type: string
  /** False: somebody else answers. */
  respond?: boolean | undefined
  readonly set: (name: string, value: string) => void
}
