import { styleText } from 'node:util'
import type { Io } from '../io.ts'

export type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', text: string) => string

/** Colours on a terminal only, and not where someone asked for none (https://no-color.org). */
export function painter({ env, isTerminal }: Pick<Io, 'env' | 'isTerminal'>): Paint {
  const isWanted = isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  return (style, text) => (isWanted ? styleText(style, text, { validateStream: false }) : text)
}

const STATUS_STYLES: Readonly<Record<string, Parameters<Paint>[0]>> = {
  active: 'green',
  signing: 'green',
  issued: 'green',
  permit: 'green',
  approved: 'green',
  redeemed: 'green',
  pending: 'yellow',
  require_approval: 'yellow',
  denied: 'red',
  void: 'red',
  suspended: 'yellow',
  published: 'yellow',
  expired: 'yellow',
  retired: 'red',
  revoked: 'red',
  refused: 'red',
  forbid: 'red',
  compromised: 'red',
}

/** A status in its colour. */
export const paintStatus = (paint: Paint, status: string): string => {
  const style = STATUS_STYLES[status]
  return style === undefined ? status : paint(style, status)
}
