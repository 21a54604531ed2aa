import { afterEach, describe, expect, it } from 'vitest'
import { answering, isHit, MOUNTS, type Site, site } from './harness.js'

const sites: Site[] = []
afterEach(async () => {
  await Promise.all(sites.splice(0).map((one) => one.close()))
})
const opened = async (...args: Parameters<typeof site>): Promise<Site> => {
  const made = await site(...args)
  sites.push(made)
  return made
}

describe.each(MOUNTS)('cache.http, %s', (mount) => {
  it('answers the second request from what it stored', async () => {
    let n = 0
    const s = await opened(
      mount,
      answering(() => ({ body: `body ${++n}`, headers: { 'Content-Type': 'text/plain' } })),
    )
    const first = await s.get('/a')
    expect(first).toMatchObject({ status: 200, body: 'body 1' })
    expect(first.headers['cache-status']).toBe('scale; fwd=uri-miss; stored')
    const second = await s.get('/a')
    expect(second).toMatchObject({ status: 200, body: 'body 1' })
    expect(second.headers['cache-status']).toMatch(/^scale; hit; ttl=\d+; detail=l1$/)
    expect(second.headers).toMatchObject({ 'content-type': 'text/plain', age: '0', 'content-length': '6' })
    expect(second.headers.etag).toMatch(/^"/)
    expect(s.seen).toHaveLength(1)
  })

  it('answers 304 to a client that has it', async () => {
    const s = await opened(
      mount,
      answering(() => ({ headers: { ETag: '"v1"' } })),
    )
    await s.get('/a')
    const answer = await s.get('/a', { 'if-none-match': '"v0", W/"v1"' })
    expect(answer).toMatchObject({ status: 304, body: '' })
    expect(isHit(answer)).toBe(true)
    expect((await s.get('/a', { 'if-none-match': '"v2"' })).status).toBe(200)
  })

  it('invalidates by an unsafe request that succeeds', async () => {
    let n = 0
    const s = await opened(
      mount,
      answering((req) => ({ status: req.method === 'PUT' ? 200 : 200, body: `${++n}` })),
    )
    await s.get('/a')
    expect(isHit(await s.get('/a'))).toBe(true)
    await s.send('PUT', '/a')
    const after = await s.get('/a')
    expect(isHit(after)).toBe(false)
    expect(after.body).toBe('3')
  })

  it('does not store private answers', async () => {
    const s = await opened(
      mount,
      answering(() => ({ headers: { 'Cache-Control': 'private' } })),
    )
    await s.get('/a')
    const answer = await s.get('/a')
    expect(isHit(answer)).toBe(false)
    expect(s.seen).toHaveLength(2)
    expect(answer.headers['cache-control']).toBe('private')
  })
})
