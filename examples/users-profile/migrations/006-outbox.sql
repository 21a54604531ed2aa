-- As `outboxTable()` of @scale/jobs has it.
CREATE TABLE scale_outbox (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  job text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scale_outbox_due ON scale_outbox (due_at);

-- Copies of before this one go on to put letters into `mails`: they go where the new ones look. The table is for a later one to drop.
CREATE FUNCTION mail_to_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO scale_outbox (id, queue, job) VALUES (NEW.id, 'letters', json_build_object('v', 1, 'd',
    json_build_object('recipient', NEW.recipient, 'subject', NEW.subject, 'body', NEW.body))::text);
  RETURN NULL;
END $$;
CREATE TRIGGER mails_to_outbox BEFORE INSERT ON mails FOR EACH ROW EXECUTE FUNCTION mail_to_outbox();
WITH unsent AS (DELETE FROM mails WHERE sent_at IS NULL RETURNING *)
INSERT INTO mails SELECT * FROM unsent;
