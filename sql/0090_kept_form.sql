-- A form that was sent when its session had ended: what was typed waits with that session, and goes over to the one that the same user begins next in
-- the same browser (web/kept.h). No secrets are among it.
ALTER TABLE user_session ADD COLUMN kept jsonb, ADD COLUMN kept_at timestamptz;
ALTER TABLE operator_session ADD COLUMN kept jsonb, ADD COLUMN kept_at timestamptz;
