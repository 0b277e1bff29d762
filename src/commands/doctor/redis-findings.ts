import type { Redis } from 'ioredis'
import { messageOf } from '../../errors.ts'
import { streamKey } from '../../models/stream-entry.ts'
import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import { redisSafetyWarnings } from '../../redis.ts'
import type { Settings } from '../../settings.ts'
import { readGroups, type StreamGroup } from '../stream-groups.ts'
import { formatBytes, formatCount } from '../text-table.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** What Redis' settings and streams mean for the service. @throws what ioredis throws. */
export async function findInRedis(redis: Redis, settings: Settings): Promise<readonly Finding[]> {
  const memory = await findMemory(redis)
  return [
    ...(await findRole(redis)),
    ...(await findSafety(redis)),
    ...(memory === undefined ? [] : [memory]),
    ...(await findStreams(redis, settings)),
  ]
}

/** INFO can be forbidden; then its checks are left out. */
async function readInfo(redis: Redis, section: string): Promise<(field: string) => string | undefined> {
  const info = await redis.info(section).catch((error: Error) => {
    if (error.message.startsWith('NOPERM')) return ''
    throw error
  })
  return (field) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

async function findRole(redis: Redis): Promise<readonly Finding[]> {
  const role = (await readInfo(redis, 'replication'))('role')
  if (role === undefined) return []
  if (role === 'master') return [ok('Redis is writable', 'yes')]
  return [fail('Redis is writable', 'no, it is a replica', 'Point REDIS_URL to the primary.')]
}

/** Values with which nothing that was accepted is lost, in the words of CONFIG. */
const SAFE = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' } as const
type SafetySetting = keyof typeof SAFE

async function findSafety(redis: Redis): Promise<readonly Finding[]> {
  const warnings = await redisSafetyWarnings(redis)
  const findings: Finding[] = []
  for (const [name, safe] of Object.entries(SAFE) as [SafetySetting, string][]) {
    const found = warnings.find(({ setting }) => setting === name)
    // Without an append-only file it does not matter how it is written.
    if (name === 'appendfsync' && warnings.some((each) => each.setting === 'appendonly' && each.value))
      continue
    const check = `Redis ${name}`
    findings.push(found === undefined ? ok(check, safe) : warn(check, found.value ?? 'unknown', found.advice))
  }
  return findings
}

const FULL = 0.8

async function findMemory(redis: Redis): Promise<Finding | undefined> {
  const info = await readInfo(redis, 'memory')
  const [used, limit] = [Number(info('used_memory')), Number(info('maxmemory'))]
  if (!Number.isFinite(used) || !Number.isFinite(limit)) return undefined
  const check = 'Redis maxmemory'
  if (limit === 0) {
    return warn(
      check,
      `no limit, ${formatBytes(used)} used`,
      'While PostgreSQL is away the streams grow until the system ends Redis: set maxmemory below what the machine has.',
    )
  }
  const found = `${formatBytes(limit)}, ${formatBytes(used)} used`
  if (used < FULL * limit) return ok(check, found)
  return warn(check, found, 'When it is full producers are refused: raise maxmemory, or see why ingest lags.')
}

async function findStreams(redis: Redis, settings: Settings): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const signal of TELEMETRY_SIGNALS) {
    const stream = streamKey(settings.streamPrefix, signal)
    try {
      const groups = await readGroups(redis, stream)
      const others = groups.filter(({ name }) => name !== settings.consumerGroup)
      findings.push(judgeGroups(stream, others))
    } catch (error) {
      if (!messageOf(error).startsWith('WRONGTYPE')) throw error
      findings.push(fail(`Redis ${stream}`, 'is no stream', 'Rename that key, or set STREAM_PREFIX.'))
    }
  }
  return findings
}

/** A group that is read right now is always a little behind. */
const BEHIND_ENTRIES = 1000

function judgeGroups(stream: string, groups: readonly StreamGroup[]): Finding {
  const check = `Redis ${stream}`
  if (groups.length === 0) return ok(check, 'no consumer group of others')
  const found = groups.map(describeGroup).join('; ')
  const behind = groups.some(
    ({ consumers, lag, pending }) => consumers === 0 || lag === null || lag + pending > BEHIND_ENTRIES,
  )
  if (!behind) return ok(check, found)
  return warn(
    check,
    found,
    'What a group has not read and acknowledged is not trimmed: if nobody needs it, XGROUP DESTROY it.',
  )
}

function describeGroup({ name, consumers, lag, pending }: StreamGroup): string {
  const behind = lag === null ? 'lag unknown' : `lag ${formatCount(lag)}`
  return `group ${name}: ${consumers} consumers, ${behind}, ${formatCount(pending)} pending`
}
