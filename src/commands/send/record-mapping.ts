import { ObservatoryError } from '../../errors.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { type FieldPath, parseFieldPath, setField, valueAt } from './field-path.ts'

type Fields = Record<string, unknown>

/** Makes records of what a file holds. */
export interface RecordMapping {
  /** For a CSV file with these columns: empty cells are left out. @throws ObservatoryError ERR_USAGE for a mapped column it lacks. */
  forColumns(columns: readonly string[]): (cells: readonly string[]) => Fields
  /** For an object of an NDJSON file: its members are fields as they are, but for those that are mapped. */
  forObject(object: Readonly<Fields>): Fields
}

export interface MappingOptions {
  readonly telemetrySignal: TelemetrySignal
  /** `column=path` pairs, separated by commas. */
  readonly map?: readonly string[] | undefined
  /** `path=value` pairs, separated by commas (`\,` is a comma): constants of every record. */
  readonly set?: readonly string[] | undefined
  /** Drop what `map` does not name. */
  readonly onlyMapped?: boolean | undefined
}

/** @throws ObservatoryError ERR_USAGE for a pair without `=`. */
export function createMapping({ telemetrySignal, map, set, onlyMapped }: MappingOptions): RecordMapping {
  const paths = new Map(
    parsePairs('--map', map).map(([column, path]) => [column, parseFieldPath(telemetrySignal, path)]),
  )
  const constants = parsePairs('--set', set).map(([name, text]) => {
    const path = parseFieldPath(telemetrySignal, name)
    return { path, value: valueAt(path, text) }
  })
  const setConstants = (record: Fields): Fields => {
    for (const { path, value } of constants) setField(record, path, value)
    return record
  }
  return {
    forColumns(columns) {
      for (const column of paths.keys()) requireColumn(column, columns)
      const pathOf = (column: string): FieldPath | undefined =>
        paths.get(column) ?? (onlyMapped ? undefined : parseFieldPath(telemetrySignal, column))
      const targets = columns.flatMap((column, index) => {
        const path = pathOf(column)
        return path === undefined ? [] : [{ path, index }]
      })
      // Whole fields before keys within them, so that a column `attributes` does not replace what others put there.
      targets.sort((a, b) => Number(a.path.key !== undefined) - Number(b.path.key !== undefined))
      return (cells) => {
        const record: Fields = {}
        for (const { path, index } of targets) {
          const cell = cells[index] ?? ''
          if (cell !== '') setField(record, path, valueAt(path, cell))
        }
        return setConstants(record)
      }
    },
    forObject(object) {
      if (paths.size === 0 && !onlyMapped) return setConstants({ ...object })
      const record: Fields = {}
      const mapped: [FieldPath, unknown][] = []
      for (const [name, value] of Object.entries(object)) {
        const path = paths.get(name)
        if (path !== undefined) mapped.push([path, value])
        else if (!onlyMapped) setField(record, { field: name, key: undefined }, value)
      }
      for (const [path, value] of mapped) setField(record, path, value)
      return setConstants(record)
    },
  }
}

function parsePairs(option: string, texts: readonly string[] = []): [string, string][] {
  return texts
    .flatMap((text) => text.split(/(?<!\\),/))
    .map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) {
        const message = `${option}: "${pair}" has no "="; expected ${option === '--map' ? 'column=path' : 'path=value'}`
        throw new ObservatoryError('ERR_USAGE', message)
      }
      return [pair.slice(0, at).trim(), pair.slice(at + 1).replaceAll('\\,', ',')]
    })
}

function requireColumn(column: string, columns: readonly string[]): void {
  if (columns.includes(column)) return
  throw new ObservatoryError(
    'ERR_USAGE',
    `--map: there is no column "${column}"; the file has ${columns.join(', ')}`,
  )
}
