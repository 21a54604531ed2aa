-- IF NOT EXISTS: databases of before there were versions have them.
CREATE TABLE IF NOT EXISTS users (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  role text NOT NULL DEFAULT 'user',
  password_hash text,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz
);
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
