-- Backups that `keyward backup` has made (KEY-8): for the operator to see that there are some, and how old they are.

CREATE TABLE backup (
	id uuid PRIMARY KEY,
	started timestamptz NOT NULL DEFAULT now(),
	finished timestamptz,                   -- null: under way, or broken off
	place text NOT NULL,
	bytes bigint,
	error text
);
CREATE INDEX backup_started ON backup (started);
GRANT SELECT ON backup TO keyward_central, keyward_jobs;
GRANT INSERT, UPDATE (finished, bytes, error) ON backup TO keyward_jobs;
