type Frame = { functionName: string; url: string; lineNumber: number }
type CpuProfile = {
  nodes: { id: number; callFrame: Frame; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

/**
 * Where the time of a `node --cpu-prof` went, idle time and the loading of modules left out: lines of `share  name`, first by package or file, what is
 * native counted where it was called from, then by function.
 */
export function selfTimes(text: string, root: string, count: number): string[] {
  const { nodes, samples, timeDeltas } = JSON.parse(text) as CpuProfile
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const file = ({ url }: Frame) => url.replace('file://', '').replace(`${root}/`, '')

  const functionOf = (id: number): string => {
    const frame = byId.get(id)?.callFrame
    if (!frame) return '?'
    return `${frame.functionName || '(anonymous)'}${frame.url ? `  ${file(frame)}:${frame.lineNumber + 1}` : ''}`
  }
  const placeOf = (id: number | undefined): string => {
    const frame = id === undefined ? undefined : byId.get(id)?.callFrame
    if (!frame) return '(native)'
    if (!frame.url) return frame.functionName.startsWith('(') ? frame.functionName : placeOf(parents.get(id ?? 0))
    return /^.*node_modules\/((@[^/]+\/)?[^/]+)/.exec(file(frame))?.[1] ?? file(frame)
  }
  const isLoading = (id: number | undefined): boolean => {
    const frame = id === undefined ? undefined : byId.get(id)?.callFrame
    return (
      frame !== undefined && (/^node:internal\/(modules|bootstrap)/.test(frame.url) || isLoading(parents.get(id ?? 0)))
    )
  }
  const ranking = (nameOf: (id: number) => string): string[] => {
    const times = new Map<string, number>()
    samples.forEach((id, i) => {
      if (isLoading(id)) return
      const name = nameOf(id)
      times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0))
    })
    times.delete('(idle)')
    const total = [...times.values()].reduce((sum, each) => sum + each, 0)
    return [...times]
      .sort(([, a], [, b]) => b - a)
      .slice(0, count)
      .map(([name, time]) => `${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`)
  }
  return [...ranking(placeOf), '', ...ranking(functionOf)]
}
