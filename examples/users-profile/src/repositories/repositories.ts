import type { Database, Query } from '../infrastructure/database.js'
import type { Mail } from '../infrastructure/mail.js'
import { type MailsRepository, mailsRepository } from './mails.js'
import { type SecretsRepository, secretsRepository } from './secrets.js'
import { type UsersRepository, usersRepository } from './users.js'

/** What is kept in PostgreSQL of people. */
export interface Repositories {
  users: UsersRepository
  secrets: SecretsRepository
  mails: MailsRepository
}

/** All or nothing: what `work` does with the repositories it is given is done together, or not at all. */
export type Together = <Result>(work: (repositories: Repositories) => Promise<Result>) => Promise<Result>

export function repositories(
  database: Database,
  mail: Mail,
  options: { profileLookupMs: number },
): Repositories & { together: Together } {
  const over = (query: Query): Repositories => ({
    users: usersRepository(query, options),
    secrets: secretsRepository(query),
    mails: mailsRepository(query, mail),
  })
  return {
    ...over(database.query),
    together: (work) => database.transaction((query) => work(over(query))),
  }
}
