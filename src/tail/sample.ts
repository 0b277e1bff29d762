import { crc32 } from 'node:zlib'

const RANGE = 2 ** 32

/** Whether a record is in a sample: those of one trace are, or are not, together. @param share of all, above 0 and at most 1. */
export function isInSample(
  { traceId, id }: { readonly traceId: string | undefined; readonly id: string },
  share: number,
): boolean {
  return share >= 1 || crc32(traceId ?? id) / RANGE < share
}
