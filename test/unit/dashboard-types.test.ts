import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const FOLDER = fileURLToPath(new URL('../../grafana/dashboards/', import.meta.url))

/** What TypeScript says of dashboards as a `Dashboard` of Grafana: the text of each, so that literals stay literals. */
function complaints(dashboards: ReadonlyMap<string, string>): string[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: [],
  }
  const sources = new Map(
    [...dashboards].map(([name, json]) => [
      `${FOLDER}${name}.ts`,
      `import { type Dashboard, ThresholdsMode } from '@grafana/schema'\nexport const dashboard: Dashboard = ${withEnums(json)}`,
    ]),
  )
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile: read, getSourceFile } = host
  host.fileExists = (file) => sources.has(file) || fileExists(file)
  host.readFile = (file) => sources.get(file) ?? read(file)
  host.getSourceFile = (file, version, ...rest) => {
    const text = sources.get(file)
    return text === undefined
      ? getSourceFile(file, version, ...rest)
      : ts.createSourceFile(file, text, version)
  }
  const program = ts.createProgram([...sources.keys()], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText, start = 0 }) => {
    const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1
    return `${file?.fileName.slice(FOLDER.length)}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}

/** TypeScript takes no text for a member of an enumeration. */
function withEnums(json: string): string {
  return json.replaceAll('"mode": "absolute"', '"mode": ThresholdsMode.Absolute')
}

test('dashboards have the types of Grafana', async () => {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.json'))
  expect(names.length).toBeGreaterThanOrEqual(3)
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(`${FOLDER}${name}`, 'utf8')] as const),
  )
  expect(complaints(new Map(texts))).toEqual([])
}, 30_000)

test('what is no dashboard is found', () => {
  const odd =
    '{ "schemaVersion": 39, "title": "odd", "panels": [{ "type": "table", "gridPos": { "x": 0, "y": 0, "w": "all", "h": 4 } }] }'
  expect(complaints(new Map([['odd.json', odd]]))).toEqual([
    expect.stringMatching(/^odd\.json\.ts:2 Type 'string' is not assignable to type 'number'/),
  ])
}, 30_000)
