import type { Series } from '../harness/bench.ts'

const [WIDTH, HEIGHT] = [720, 400]
const MARGIN = { left: 70, right: 170, top: 20, bottom: 50 }
const COLOURS = ['#1f6feb', '#8250df', '#bf5700', '#1a7f37', '#cf222e', '#57606a']
const TICKS = 5
/** From which span on an axis is logarithmic. */
const LOGARITHMIC_FROM = 100

interface Axis {
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
}

/** Draws lines with their points, a legend and both axes named, as SVG that needs no script and no font of its own. */
export function plot({ name, x, y, lines }: Series): string {
  const points = lines.flatMap((line) => line.points)
  const across = axis(
    points.map(([at]) => at),
    [MARGIN.left, WIDTH - MARGIN.right],
  )
  const up = axis([0, ...points.map(([, value]) => value)], [HEIGHT - MARGIN.bottom, MARGIN.top])
  const bottom = HEIGHT - MARGIN.bottom
  const parts = [
    ...up.ticks.map((tick) => grid(tick, up.at(tick))),
    ...across.ticks.map((tick) => text(across.at(tick), bottom + 18, label(tick), 'middle')),
    text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 10, x, 'middle'),
    `<text transform="translate(16 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>`,
    ...lines.flatMap((line, i) => drawn(line, across, up, i)),
  ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#24292f">`,
    `<title>${escaped(name)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function drawn(line: Series['lines'][number], across: Axis, up: Axis, i: number): string[] {
  const colour = COLOURS[i % COLOURS.length] as string
  const places = line.points.map(([at, value]) => [across.at(at).toFixed(1), up.at(value).toFixed(1)] as const)
  const legend = MARGIN.top + 10 + i * 20
  const right = WIDTH - MARGIN.right + 15
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join(',')).join(' ')}"/>`,
    ...places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
    `<rect x="${right}" y="${legend - 9}" width="12" height="12" fill="${colour}"/>`,
    text(right + 18, legend + 1, line.name, 'start'),
  ]
}

const grid = (tick: number, at: number) =>
  `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}" stroke="#d0d7de"/>` +
  text(MARGIN.left - 8, at + 4, label(tick), 'end')

const text = (at: number, y: number, words: string, anchor: 'start' | 'middle' | 'end') =>
  `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(words)}</text>`

/** Powers of ten where the values span many of them, round steps from nothing otherwise. */
export function axis(values: readonly number[], [from, to]: readonly [number, number]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (least > 0 && most / least >= LOGARITHMIC_FROM) {
    const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))]
    const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
    return { ticks, at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from) }
  }
  const step = roundStep((most - Math.min(0, least)) / TICKS)
  const [start, end] = [Math.floor(Math.min(0, least) / step) * step, Math.ceil(most / step) * step]
  const ticks = Array.from({ length: Math.round((end - start) / step) + 1 }, (_, i) => start + i * step)
  return { ticks, at: (value) => from + ((value - start) / (end - start)) * (to - from) }
}

/** 1, 2 or 5 times a power of ten, at least as large. */
function roundStep(least: number): number {
  if (!(least > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find((digit) => digit * power >= least) ?? 10)
}

const label = (value: number) =>
  Math.abs(value) >= 10_000
    ? `1e${Math.log10(value).toFixed(Number.isInteger(Math.log10(value)) ? 0 : 1)}`
    : String(Number(value.toPrecision(3)))

export const escaped = (words: string) =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
