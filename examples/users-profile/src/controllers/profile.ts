import { formatCacheStatus } from '@scale/cache'
import { loggedIn } from '@scale/session'
import type { RequestHandler } from 'express'
import type { Profiles } from '../services/profiles.js'
import { rename } from '../validators.js'

/** `GET /v1/profile` */
export function readProfile(profiles: Profiles): RequestHandler {
  return async function readProfile(req, res) {
    const entry = await profiles.read(loggedIn(req).userId)
    res.setHeader('Cache-Status', formatCacheStatus(entry, 'users-profile'))
    res.setHeader('Cache-Control', 'private, no-store')
    res.json(entry.value)
  }
}

/** `PATCH /v1/profile` */
export function renameProfile(profiles: Profiles): RequestHandler {
  return async function renameProfile(req, res) {
    res.json(await profiles.rename(loggedIn(req).userId, rename.valid(req).body.name))
  }
}
