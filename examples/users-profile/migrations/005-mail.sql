ALTER TABLE users ADD COLUMN email_verified_at timestamptz;

-- Written in the transaction that a mail tells of, and sent afterwards: what is rolled back is told to nobody, what is committed
-- is sent though the process dies.
CREATE TABLE mails (
  id uuid PRIMARY KEY,
  recipient text NOT NULL,
  subject text NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  sent_at timestamptz
);
CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL;

-- What a link in a mail carries; of the secret itself only the hash is kept.
CREATE TABLE secrets (
  hash bytea PRIMARY KEY,
  purpose text NOT NULL,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
);
CREATE INDEX secrets_user ON secrets (user_id);
