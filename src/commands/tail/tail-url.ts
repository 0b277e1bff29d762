import { filterWordsOf } from '../../repositories/filter-words.ts'
import { type ServiceAddress, serviceUrl } from '../service-url.ts'
import type { TailFlags } from './tail-flags.ts'
import { USUAL_LINES } from './tail-question.ts'
import type { TailedSignal } from './tailed-signal.ts'

/**
 * Where a service answers with the tail that the flags ask for. Words of the filter go as they are written: the service knows what they may be.
 *
 * @throws ObservatoryError ERR_USAGE for what is no address of a service.
 */
export function tailUrl({ path, columns }: TailedSignal, flags: TailFlags, settings: ServiceAddress): URL {
  const url = new URL(`api/v1/${path}/tail`, serviceUrl(flags.url, settings))
  const words = filterWordsOf(columns).filter((word) => word !== 'from' && word !== 'to')
  for (const word of words) {
    const value = flags[word]
    if (value !== undefined) url.searchParams.set(word, value)
  }
  for (const attribute of flags.attr ?? []) {
    const equals = attribute.indexOf('=')
    url.searchParams.set(`attr.${attribute.slice(0, equals)}`, attribute.slice(equals + 1))
  }
  const { since, lines, sample } = flags
  if (since !== undefined) url.searchParams.set('from', since)
  // Since a time all of them come, as far as the service goes.
  const history = lines ?? (since === undefined ? USUAL_LINES : undefined)
  if (history !== undefined) url.searchParams.set('history', String(history))
  if (sample !== undefined) url.searchParams.set('sample', sample)
  return url
}
