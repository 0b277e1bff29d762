/** One column: its heading, and to which side its cells are aligned. Numbers go to the right. */
export interface Column {
  readonly heading: string
  readonly align?: 'left' | 'right'
}

const GAP = '  '

/** Rows under headings, aligned, a line each, without trailing blanks. Only the headings when there is no row. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ heading }) => heading), ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => cells[index]?.length ?? 0)))
  return lines
    .map((cells) => {
      const padded = columns.map(({ align }, index) => {
        const [cell = '', width = 0] = [cells[index], widths[index]]
        return align === 'right' ? cell.padStart(width) : cell.padEnd(width)
      })
      return `${padded.join(GAP).trimEnd()}\n`
    })
    .join('')
}

/** `1,234,567` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1.5 GiB`: three digits at most before a unit of 1024. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}
