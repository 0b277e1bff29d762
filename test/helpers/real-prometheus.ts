import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

export const SHIPPED = fileURLToPath(new URL('../../grafana/prometheus/', import.meta.url))

export interface RealPrometheus {
  /** Asks its HTTP API. @returns what it calls `data`. @throws when it does not answer with success. */
  ask<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<T>
  close(): Promise<void>
}

/** A Prometheus with the scrape file and the rules that are shipped; but it scrapes `target`, and once a second. */
export async function startPrometheus(program: string, target: string): Promise<RealPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'observatory-prometheus-'))
  const shipped = await readFile(join(SHIPPED, 'prometheus.yml'), 'utf8')
  const written = shipped
    .replace('127.0.0.1:4318', new URL(target).host)
    .replaceAll(/_interval: 15s/g, '_interval: 1s')
  await writeFile(join(folder, 'prometheus.yml'), written)
  await copyFile(join(SHIPPED, 'rules.yml'), join(folder, 'rules.yml'))
  const url = `http://127.0.0.1:${await freePort()}`
  const args = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--enable-feature=exemplar-storage',
    '--log.level=error',
  ]
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const closed = once(child, 'close')
  const close = async () => {
    // It has nothing to keep.
    child.kill('SIGKILL')
    await closed
    await rm(folder, { recursive: true, force: true })
  }
  const ask = async <T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const answer = (await response.json()) as { status: string; error?: string; data: T }
    if (answer.status !== 'success')
      throw new Error(`Prometheus: ${answer.error} (${JSON.stringify(parameters)})`)
    return answer.data
  }
  try {
    await eventually(() => ask('status/runtimeinfo'), { timeoutMs: 30_000 })
  } catch (error) {
    await close()
    throw error
  }
  return { ask, close }
}
