import type { Tried } from './run'

/** Names of tests that are told; results.json has all of them. */
const TESTS_TOLD = 2

/** What noticed a mutant, or why nothing did, in one line. */
export function finding({ verdict }: Tried, testsTold = TESTS_TOLD): string {
  if (verdict.outcome === 'survived') return 'NOTHING: it survived'
  if (verdict.outcome === 'unfit') return `UNFIT: ${verdict.reason.split('\n', 1)[0]}`
  const told = verdict.tests.slice(0, testsTold).map((test) => `“${test}”`)
  const more = verdict.tests.length - told.length
  return `${verdict.suite}: ${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

export const caught = (tried: readonly Tried[]): Tried[] => tried.filter(({ verdict }) => verdict.outcome === 'caught')

/** For a screen. */
export function screen(tried: readonly Tried[]): string {
  const lines = tried.flatMap((each) => {
    const mark = each.verdict.outcome === 'caught' ? '✓' : '✗'
    return [`${mark} ${each.name}: ${each.fault} (${each.promise})`, `    ${finding(each)}`]
  })
  return [...lines, '', `${caught(tried).length} of ${tried.length} mutants caught.`].join('\n')
}

/** The README's table. */
export function readmeSection(tried: readonly Tried[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  return [
    `${caught(tried).length} of ${tried.length} mutants are caught.`,
    '',
    '<details><summary>Which, and by what</summary>',
    '',
    '| promise | what is wrong in the mutant | what fails then |',
    '| --- | --- | --- |',
    ...tried.map((each) => {
      const cells = [each.promise, `[${each.fault}](${each.file})`, finding(each, 1)]
      return `| ${cells.map(cell).join(' | ')} |`
    }),
    '',
    '</details>',
  ].join('\n')
}
