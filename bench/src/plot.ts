import { cellsBy, rate, spread, typical, type Cell } from './figures'

const SUBJECTS = [
  { subject: 'batching', color: '#0b6e4f', label: 'shop, batching' },
  { subject: 'plain', color: '#c77d0a', label: 'shop, one transaction an order' },
  { subject: 'pgbench', color: '#5b6b7f', label: 'pgbench, the same writes' },
] as const
const PANELS = [
  { mode: 'hot', title: 'One product' },
  { mode: 'spread', title: '1,000 products' },
] as const

const PANEL = { width: 300, height: 200, left: 60, top: 60, gap: 80 }
const WIDTH = PANEL.left + 2 * PANEL.width + PANEL.gap + 30
const HEIGHT = PANEL.top + PANEL.height + 90

/** Orders a second by clients: a panel for each mode, a line for each way of placing, rounds as a bar through the median. */
export function ordersPlot(cells: readonly Cell[]): string {
  const placing = cells.filter(({ section }) => section === 'placing')
  const connections = [...new Set(placing.map((cell) => cell.connections))].sort((a, b) => a - b)
  const most = Math.max(1, ...placing.flatMap(({ samples }) => samples.map(({ perSecond }) => perSecond)))
  const step = niceStep(most / 4)
  const top = Math.ceil(most / step) * step
  const at = cellsBy(placing)
  const panels = PANELS.map(({ mode, title }, i) => {
    const left = PANEL.left + i * (PANEL.width + PANEL.gap)
    const x = (n: number) => left + ((connections.indexOf(n) + 0.5) * PANEL.width) / connections.length
    const y = (value: number) => PANEL.top + PANEL.height * (1 - value / top)
    const grid = Array.from({ length: Math.round(top / step) + 1 }, (_, k) => k * step).map(
      (value) =>
        `<line x1="${left}" x2="${left + PANEL.width}" y1="${fixed(y(value))}" y2="${fixed(y(value))}" stroke="#d5dae0"/>` +
        `<text x="${left - 8}" y="${fixed(y(value) + 4)}" text-anchor="end">${value.toLocaleString('en')}</text>`,
    )
    const ticks = connections.map(
      (n) => `<text x="${fixed(x(n))}" y="${PANEL.top + PANEL.height + 18}" text-anchor="middle">${n}</text>`,
    )
    const lines = SUBJECTS.map(({ subject, color }) => {
      const points = connections.flatMap((n) => {
        const cell = at('placing', subject, mode, n)
        const value = typical(cell, rate)
        if (!cell || value === undefined) return []
        const [low, high] = spread(cell.samples.map(({ perSecond }) => perSecond))
        return [{ x: x(n), y: y(value), low: y(low), high: y(high) }]
      })
      return [
        `<polyline points="${points.map((p) => `${fixed(p.x)},${fixed(p.y)}`).join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`,
        ...points.map(
          (p) =>
            `<line x1="${fixed(p.x)}" x2="${fixed(p.x)}" y1="${fixed(p.low)}" y2="${fixed(p.high)}" stroke="${color}"/>` +
            `<circle cx="${fixed(p.x)}" cy="${fixed(p.y)}" r="3.5" fill="${color}"/>`,
        ),
      ].join('')
    })
    const heading = `<text x="${left}" y="${PANEL.top - 16}" font-weight="bold" font-size="14">${title}</text>`
    const axis = `<text x="${left + PANEL.width / 2}" y="${PANEL.top + PANEL.height + 36}" text-anchor="middle">clients</text>`
    return [heading, ...grid, ...ticks, axis, ...lines].join('\n')
  })
  const legend = SUBJECTS.map(
    ({ color, label }, i) =>
      `<rect x="${PANEL.left + i * 225}" y="${HEIGHT - 28}" width="12" height="12" fill="${color}"/>` +
      `<text x="${PANEL.left + 18 + i * 225}" y="${HEIGHT - 18}">${label}</text>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#1d2733">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${PANEL.left}" y="22" font-size="16" font-weight="bold">Orders a second</text>`,
    ...panels,
    ...legend,
    '</svg>\n',
  ].join('\n')
}

const fixed = (value: number): string => value.toFixed(1)

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10)
}
