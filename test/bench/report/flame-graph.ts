import { escaped } from './plot.ts'

/** What `node --cpu-prof` writes. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  /** The node that ran at each tick, and how long after the one before. Unit: microseconds. */
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** A function called from one place: time in it and below, callees of one name joined. Unit: microseconds. */
export interface Frame {
  readonly name: string
  total: number
  readonly children: Map<string, Frame>
}

/** What is no work: waiting for the next request. */
const IDLE: ReadonlySet<string> = new Set(['(idle)', '(program)', '(root)'])
/** What a worker does before it is measured. */
const PREPARATION = /^prepare test\/bench\//

/** Adds up the samples of a profile by call stack, without what was idle or is not measured. */
export function frames({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const parents = new Map<number, number>()
  const byId = new Map(nodes.map((node) => [node.id, node]))
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id)
  const root: Frame = { name: 'all', total: 0, children: new Map() }
  for (const [i, id] of samples.entries()) {
    const spent = Math.max(0, timeDeltas[i] ?? 0)
    const stack: string[] = []
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = byId.get(at)
      if (node !== undefined && node.callFrame.functionName !== '(root)') stack.push(nameOf(node.callFrame))
    }
    if (stack.length === 0 || IDLE.has(stack[0] as string) || stack.some((name) => PREPARATION.test(name))) continue
    let frame = root
    frame.total += spent
    for (const name of stack.reverse()) {
      const child = frame.children.get(name) ?? { name, total: 0, children: new Map() }
      frame.children.set(name, child)
      child.total += spent
      frame = child
    }
  }
  return root
}

/** Name and file; of a package its name, of our own files their path. */
function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  if (url === '') return name
  const [, ownPath] = /\/(?:dist|\.bench)\/(.*)$/.exec(url) ?? []
  const [, packageName] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? []
  return `${name} ${packageName ?? ownPath ?? url}:${lineNumber + 1}`
}

const [WIDTH, ROW, FONT] = [1_200, 17, 11]
/** Narrower than this nothing can be read or pointed at. Unit: pixels. */
const NARROWEST = 0.6
const CHARACTER = 6.4

/** Draws frames as boxes as wide as their time, callees above callers; pointing at one tells all of its name. */
export function flameGraph(root: Frame, title: string): string {
  const boxes: string[] = []
  let deepest = 0
  const draw = (frame: Frame, x: number, depth: number): void => {
    const width = (frame.total / root.total) * WIDTH
    if (width < NARROWEST) return
    deepest = Math.max(deepest, depth)
    boxes.push(box(frame, x, depth, width, frame.total / root.total))
    let left = x
    for (const child of [...frame.children.values()].sort((a, b) => b.total - a.total)) {
      draw(child, left, depth + 1)
      left += (child.total / root.total) * WIDTH
    }
  }
  draw(root, 0, 0)
  const height = (deepest + 3) * ROW
  // Rows count from the bottom.
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="${FONT}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${WIDTH / 2}" y="${ROW}" text-anchor="middle">${escaped(title)}</text>`,
    `<g transform="translate(0 ${height - ROW})">`,
    ...boxes,
    '</g>',
    '</svg>\n',
  ].join('\n')
}

function box({ name }: Frame, x: number, depth: number, width: number, share: number): string {
  const y = -depth * ROW
  const room = Math.floor((width - 4) / CHARACTER)
  const shown = name.length <= room ? name : room > 3 ? `${name.slice(0, room - 1)}…` : ''
  const words = shown === '' ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + ROW - 5}">${escaped(shown)}</text>`
  return (
    `<g><title>${escaped(name)} (${(share * 100).toFixed(1)} %)</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(name)}"/>${words}</g>`
  )
}

/** Ours, packages, Node's own, and the engine's are told apart. */
function colourOf(name: string): string {
  const [, place = ''] = name.split(' ')
  if (place === '') return '#d8dee4'
  if (place.startsWith('node:')) return '#b6e3ff'
  return place.includes('/') && !place.startsWith('@') ? '#ffd8b5' : '#e2d6fb'
}
