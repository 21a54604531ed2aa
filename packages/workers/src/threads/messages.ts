/** To a thread: run this. */
export interface TaskOrder {
  readonly name: string
  readonly input: unknown
}

/** From a thread: its module is loaded; or what became of the task that it was given. */
export type ThreadReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown }
