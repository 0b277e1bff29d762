import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ObservatoryError } from '../../errors.ts'
import type { Settings } from '../../settings.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { FolderStorage } from './folder-storage.ts'
import { S3Storage } from './s3-storage.ts'

/** Where archives are, and what opens that place. */
export const ARCHIVE_SETTINGS = [
  'archiveUrl',
  'archiveS3Endpoint',
  'archiveS3Region',
  'archiveS3KeyId',
  'archiveS3SecretKey',
] as const satisfies readonly (keyof Settings)[]

export type ArchiveSettings = Pick<Settings, (typeof ARCHIVE_SETTINGS)[number]>

const FORMS = 'expected a folder, file:///var/lib/archives, or s3://bucket/prefix'

/** Where the settings say that archives are. Nothing is asked of it yet. @returns undefined where ARCHIVE_URL is not set. @throws ObservatoryError ERR_CONFIG_INVALID. */
export function openArchiveStorage(settings: ArchiveSettings): ArchiveStorage | undefined {
  const { archiveUrl } = settings
  if (archiveUrl === undefined) return undefined
  if (archiveUrl.startsWith('s3://')) return openBucket(archiveUrl, settings)
  if (!/^[a-z][a-z0-9+.-]+:/i.test(archiveUrl)) return new FolderStorage(resolve(archiveUrl))
  try {
    return new FolderStorage(fileURLToPath(archiveUrl))
  } catch (error) {
    throw new ObservatoryError('ERR_CONFIG_INVALID', `ARCHIVE_URL is none that archives go to: ${FORMS}`, {
      cause: error,
    })
  }
}

function openBucket(url: string, settings: ArchiveSettings): ArchiveStorage {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]+)\/?(.*)$/.exec(url) ?? []
  if (bucket === undefined || /[?#@]/.test(prefix))
    throw new ObservatoryError('ERR_CONFIG_INVALID', `ARCHIVE_URL names no bucket: ${FORMS}`)
  const { archiveS3Endpoint: endpoint, archiveS3Region: region } = settings
  const { archiveS3KeyId: accessKeyId, archiveS3SecretKey: secretAccessKey } = settings
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw new ObservatoryError(
      'ERR_CONFIG_INVALID',
      'ARCHIVE_URL is a bucket: set ARCHIVE_S3_KEY_ID and ARCHIVE_S3_SECRET_KEY (or …_FILE), too',
    )
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint))
    throw new ObservatoryError(
      'ERR_CONFIG_INVALID',
      'ARCHIVE_S3_ENDPOINT is no URL of a server: expected https://s3.example.com',
    )
  return new S3Storage({
    bucket,
    prefix: prefix.replace(/\/+$/, ''),
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
  })
}
