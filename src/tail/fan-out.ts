import type { TailRecord } from './tail-record.ts'
import type { Watcher } from './watcher.ts'
import { type Selection, WatcherGroup } from './watcher-group.ts'

/** Gives each record to those whom it concerns: whoever asks the same is matched once, and who asks for one service is looked at for its records alone. */
export class FanOut<T extends { readonly service: string }> {
  readonly #groups = new Map<string, WatcherGroup<T>>()
  readonly #ofService = new Map<string, Set<WatcherGroup<T>>>()
  readonly #ofAll = new Set<WatcherGroup<T>>()
  readonly #watchers = new Map<Watcher<T>, WatcherGroup<T>>()

  get size(): number {
    return this.#watchers.size
  }

  watchers(): Iterable<Watcher<T>> {
    return this.#watchers.keys()
  }

  join(selection: Selection<T>): Watcher<T> {
    let group = this.#groups.get(selection.key)
    if (group === undefined) {
      group = new WatcherGroup(selection)
      this.#groups.set(selection.key, group)
      this.#placeOf(selection.service).add(group)
    }
    const watcher = group.join()
    this.#watchers.set(watcher, group)
    return watcher
  }

  /** @returns whether it was there. */
  leave(watcher: Watcher<T>): boolean {
    const group = this.#watchers.get(watcher)
    if (group === undefined) return false
    this.#watchers.delete(watcher)
    group.leave(watcher)
    if (group.size > 0) return true
    const { key, service } = group.selection
    this.#groups.delete(key)
    const place = this.#placeOf(service)
    place.delete(group)
    if (place.size === 0 && service !== undefined) this.#ofService.delete(service)
    return true
  }

  #placeOf(service: string | undefined): Set<WatcherGroup<T>> {
    if (service === undefined) return this.#ofAll
    const groups = this.#ofService.get(service) ?? new Set()
    this.#ofService.set(service, groups)
    return groups
  }

  /** @param ready takes those who were given something. */
  give(record: TailRecord<T>, ready: Set<Watcher<T>>): void {
    const some = this.#ofService.get(record.record.service)
    if (some !== undefined) giveTo(some, record, ready)
    giveTo(this.#ofAll, record, ready)
  }
}

function giveTo<T>(
  groups: ReadonlySet<WatcherGroup<T>>,
  record: TailRecord<T>,
  ready: Set<Watcher<T>>,
): void {
  for (const group of groups) if (group.selection.matches(record)) group.give(record, ready)
}
