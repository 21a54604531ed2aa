/** What one request has in common with all others that are counted together with it. */
export interface SeriesKey {
  method: string
  scheme: string
  status: string
  errorType: string
  route: string
}

type Tree<Value> = Map<string, Tree<Value> | Value>

/**
 * Finds what belongs to a request by a few look-ups of strings that are there already, where a joined key would have to be
 * built and hashed for each request.
 */
export class SeriesTree<Value extends object> {
  private readonly root: Tree<Value> = new Map()

  get({ method, scheme, status, errorType, route }: SeriesKey): Value | undefined {
    let node: Tree<Value> | undefined = this.root.get(method) as Tree<Value> | undefined
    node = node?.get(route) as Tree<Value> | undefined
    node = node?.get(status) as Tree<Value> | undefined
    node = node?.get(scheme) as Tree<Value> | undefined
    return node?.get(errorType) as Value | undefined
  }

  set({ method, scheme, status, errorType, route }: SeriesKey, value: Value): void {
    let node = this.root
    for (const key of [method, route, status, scheme]) {
      let next = node.get(key) as Tree<Value> | undefined
      if (next === undefined) {
        next = new Map()
        node.set(key, next)
      }
      node = next
    }
    node.set(errorType, value)
  }
}
