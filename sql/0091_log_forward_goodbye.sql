-- A receiver of the log that has once ended a connection with TLS's goodbye (close_notify) has to do so always (LOG-4): an end without, which anybody on the
-- way can make, does not count for it. Since its settings were saved.
ALTER TABLE log_forward ADD goodbye boolean NOT NULL DEFAULT false;
GRANT UPDATE (goodbye) ON log_forward TO keyward_jobs;
