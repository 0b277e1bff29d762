import { textTable } from '../text-table.ts'
import type { Finding, Level } from './finding.ts'

/** A line for each finding, what to do below it, and a last line that counts them. */
export function formatFindings(findings: readonly Finding[]): string {
  const table = textTable(
    [{ heading: 'LEVEL' }, { heading: 'CHECK' }, { heading: 'FOUND' }],
    findings.map(({ level, check, found }) => [level, check, found]),
  )
  const [heading = '', ...lines] = table.trimEnd().split('\n')
  const indent = ' '.repeat(heading.indexOf('FOUND'))
  const body = lines.map((line, index) => {
    const advice = findings[index]?.advice
    return advice === undefined ? line : `${line}\n${indent}${advice}`
  })
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length
  return `${body.join('\n')}\n\n${count('ok')} ok, ${count('warn')} warnings, ${count('fail')} failed\n`
}
