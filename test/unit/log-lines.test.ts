import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const LEVELS = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])

/** `level | message` of every line that src may log. What a template fills in is `…`. */
function logLines(): string[] {
  const lines: string[] = []
  for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const path = join('src', name)
    const text = readFileSync(path, 'utf8')
    // Parsing all of src takes seconds.
    if (!/\blog(ger)?\??\.\w+\(/.test(text)) continue
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const { name, expression } = node.expression
        const message = messageOf(node.arguments.at(-1))
        if (LEVELS.has(name.text) && /\blog(ger)?$/.test(expression.getText()) && message !== undefined)
          lines.push(`${name.text} | ${message}`)
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return [...new Set(lines)].sort()
}

/** Undefined for what is passed on, which the table tells in words. */
function messageOf(argument: ts.Expression | undefined): string | undefined {
  if (argument === undefined) return undefined
  if (ts.isStringLiteralLike(argument)) return argument.text
  if (!ts.isTemplateExpression(argument)) return undefined
  return argument.head.text + argument.templateSpans.map(({ literal }) => `…${literal.text}`).join('')
}

/** Of the table: `| level | message | … |` */
function tableLines(): string[] {
  const rows = readFileSync('docs/logs.md', 'utf8').matchAll(/^\| (\w+) \| `(.+?)` \|/gm)
  return [...rows].map(([, level, message]) => `${level} | ${message}`).sort()
}

describe('docs/logs.md', () => {
  test('has every line that can be logged, at its level, and no other', () => {
    const lines = logLines()
    expect(lines.length).toBeGreaterThan(25)
    expect(tableLines()).toEqual(lines)
  })

  test('of a batch there is one line, at debug', () => {
    const ofBatches = logLines().filter((line) => line.startsWith('debug') && /batch/.test(line))
    expect(ofBatches).toEqual(['debug | batch committed'])
  })
})
