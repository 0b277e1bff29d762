import type { TailRecord } from './tail-record.ts'
import type { Watcher } from './watcher.ts'

/** What a watcher is shown of a stream. */
export interface Selection<T> {
  /** The same for whoever is shown the same: they are matched together. */
  readonly key: string
  /** Records of other services cannot match. */
  readonly service: string | undefined
  readonly matches: (record: TailRecord<T>) => boolean
}

interface Group<T> extends Selection<T> {
  readonly watchers: Set<Watcher<T>>
}

/** Gives each record to those whom it concerns: whoever asks the same is matched once, and who asks for one service is looked at for its records alone. */
export class FanOut<T extends { readonly service: string }> {
  readonly #groups = new Map<string, Group<T>>()
  readonly #ofService = new Map<string, Set<Group<T>>>()
  readonly #ofAll = new Set<Group<T>>()
  readonly #watchers = new Map<Watcher<T>, Group<T>>()

  get size(): number {
    return this.#watchers.size
  }

  watchers(): Iterable<Watcher<T>> {
    return this.#watchers.keys()
  }

  add(watcher: Watcher<T>, selection: Selection<T>): void {
    let group = this.#groups.get(selection.key)
    if (group === undefined) {
      group = { ...selection, watchers: new Set() }
      this.#groups.set(selection.key, group)
      this.#placeOf(selection.service).add(group)
    }
    group.watchers.add(watcher)
    this.#watchers.set(watcher, group)
  }

  /** @returns whether it was there. */
  remove(watcher: Watcher<T>): boolean {
    const group = this.#watchers.get(watcher)
    if (group === undefined) return false
    this.#watchers.delete(watcher)
    group.watchers.delete(watcher)
    if (group.watchers.size > 0) return true
    this.#groups.delete(group.key)
    const place = this.#placeOf(group.service)
    place.delete(group)
    if (place.size === 0 && group.service !== undefined) this.#ofService.delete(group.service)
    return true
  }

  #placeOf(service: string | undefined): Set<Group<T>> {
    if (service === undefined) return this.#ofAll
    const groups = this.#ofService.get(service) ?? new Set()
    this.#ofService.set(service, groups)
    return groups
  }

  /** @param reached takes those who were given something. */
  give(record: TailRecord<T>, reached: Set<Watcher<T>>): void {
    const some = this.#ofService.get(record.record.service)
    if (some !== undefined) giveTo(some, record, reached)
    giveTo(this.#ofAll, record, reached)
  }
}

function giveTo<T>(groups: ReadonlySet<Group<T>>, record: TailRecord<T>, reached: Set<Watcher<T>>): void {
  for (const { matches, watchers } of groups) {
    if (!matches(record)) continue
    for (const watcher of watchers) {
      watcher.offer(record)
      reached.add(watcher)
    }
  }
}
