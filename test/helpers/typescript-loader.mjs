/*
 * `node --import <this file> some.ts` runs TypeScript sources as they are, so that a test can start a process of its own
 * without a build: Node.js 20 cannot strip types itself.
 */
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) register(import.meta.url)

export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  const { default: typescript } = await import('typescript')
  const fileName = fileURLToPath(url)
  const { outputText: source } = typescript.transpileModule(await readFile(fileName, 'utf8'), {
    fileName,
    compilerOptions: {
      module: typescript.ModuleKind.ESNext,
      target: typescript.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  })
  return { format: 'module', shortCircuit: true, source }
}
