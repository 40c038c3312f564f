-- What is bad with the installation, by the rows of its health (src/health/judge.c): jobd tells of the same that the page shows.
DROP TABLE trouble;
CREATE TABLE trouble (
	area text NOT NULL,
	name text NOT NULL,
	since timestamptz NOT NULL DEFAULT now(),
	reason text NOT NULL,
	told boolean NOT NULL DEFAULT false,
	PRIMARY KEY (area, name)
);
GRANT SELECT, INSERT, DELETE, UPDATE (reason, told) ON trouble TO keyward_jobs;
GRANT EXECUTE ON FUNCTION mail_is_set() TO keyward_jobs;
