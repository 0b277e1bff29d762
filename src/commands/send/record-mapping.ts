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
  const pathAt = (text: string): FieldPath => parseFieldPath(telemetrySignal, text)
  const paths = new Map(parsePairs('--map', map).map(([column, path]) => [column, pathAt(path)]))
  const constants = parsePairs('--set', set).map(([name, text]) => {
    const path = pathAt(name)
    return { path, value: valueAt(path, text) }
  })
  const setConstants = (record: Fields): Fields => {
    for (const { path, value } of constants) setField(record, path, value)
    return record
  }
  return {
    forColumns(columns) {
      for (const column of paths.keys()) requireColumn(column, columns)
      const pathOf = (column: string) => paths.get(column) ?? (onlyMapped ? undefined : pathAt(column))
      const toRecord = rowReader(columns.map(pathOf))
      return (cells) => setConstants(toRecord(cells))
    },
    forObject: (object) => setConstants(mapMembers(object, paths, onlyMapped === true)),
  }
}

/** Puts each cell at the path of its column; a column without one is left out. */
function rowReader(paths: readonly (FieldPath | undefined)[]): (cells: readonly string[]) => Fields {
  const targets = paths.flatMap((path, index) => (path === undefined ? [] : [{ path, index }]))
  // Whole fields before keys within them, so that a column `attributes` does not replace what others put there.
  targets.sort((a, b) => Number(a.path.key !== undefined) - Number(b.path.key !== undefined))
  return (cells) => {
    const record: Fields = {}
    for (const { path, index } of targets) {
      const cell = cells[index] ?? ''
      if (cell !== '') setField(record, path, valueAt(path, cell))
    }
    return record
  }
}

function mapMembers(
  object: Readonly<Fields>,
  paths: ReadonlyMap<string, FieldPath>,
  onlyMapped: boolean,
): Fields {
  if (paths.size === 0 && !onlyMapped) return { ...object }
  const record: Fields = {}
  const members = Object.entries(object)
  if (!onlyMapped) {
    for (const [name, value] of members) {
      if (!paths.has(name)) setField(record, { field: name, key: undefined }, value)
    }
  }
  for (const [name, value] of members) {
    const path = paths.get(name)
    if (path !== undefined) setField(record, path, value)
  }
  return record
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
