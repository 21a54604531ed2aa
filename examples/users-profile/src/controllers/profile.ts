import { type CacheResult, formatCacheStatus } from '@scale/cache'
import { loggedIn } from '@scale/session'
import type { RequestHandler, Response } from 'express'
import type { Services } from '../routes.js'
import type { Profile, Profiles } from '../services/profiles.js'
import { rename } from '../validators.js'

/** `GET /v1/profile` */
export function readProfile(profiles: Profiles): RequestHandler {
  return async function readProfile(req, res) {
    sendProfile(res, await profiles.read(loggedIn(req).userId))
  }
}

/** A profile, and whether it came from the cache (RFC 9211). */
export function sendProfile(res: Response, entry: CacheResult<Profile>): void {
  res.setHeader('Cache-Status', formatCacheStatus(entry, 'users-profile'))
  res.setHeader('Cache-Control', 'private, no-store')
  res.json(entry.value)
}

/** `GET /v1/profile/export`: a document, made on a thread. */
export function exportProfile(profiles: Profiles, documents: Services['documents']): RequestHandler {
  return async function exportProfile(req, res) {
    const { value } = await profiles.read(loggedIn(req).userId)
    res.setHeader('Cache-Control', 'private, no-store')
    res.attachment('profile.html').send(await documents.run('profileDocument', value, { req }))
  }
}

/** `PATCH /v1/profile` */
export function renameProfile(profiles: Profiles): RequestHandler {
  return async function renameProfile(req, res) {
    res.json(await profiles.rename(loggedIn(req).userId, rename.valid(req).body.name))
  }
}
