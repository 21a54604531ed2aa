-- What makes two spellings one account is src/services/account-key.ts: ASCII letters alone have no case. Without a collation
-- the server's locale would decide, and İ would be i. The index of before stays until no copy is left that asks by it.
CREATE UNIQUE INDEX users_account ON users (lower(email COLLATE "C"));
CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (lower(email));
