/** A README with what stands between the markers `<!-- name:start -->` and `<!-- name:end -->` replaced; as it was without them. */
export function withSection(readme: string, name: string, section: string): string {
  const [opening, closing] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`]
  const [start, end] = [readme.indexOf(opening), readme.indexOf(closing)]
  if (start < 0 || end < start) return readme
  return `${readme.slice(0, start + opening.length)}\n\n${section}\n\n${readme.slice(end)}`
}
