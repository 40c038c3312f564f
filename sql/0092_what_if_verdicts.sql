-- What-if (POL-7) keeps the verdict on every request that it has looked at, not only where it would be another; how each rule came out; and which draft was
-- tried, so that one finds the way back to it. There is no reference to the draft: what was tried outlives it.
ALTER TABLE what_if_change RENAME TO what_if_verdict;
ALTER INDEX what_if_change_requested RENAME TO what_if_verdict_requested;
ALTER TABLE what_if RENAME COLUMN changes TO verdicts;
ALTER TABLE what_if
	ADD draft uuid,
	ADD rules jsonb NOT NULL DEFAULT '{}';  -- {"0>failed": 3, "all>passed": 1, ...}: of the rules at the top by their number, and of all together
COMMENT ON COLUMN what_if.verdicts IS '{"approve>deny": 3, "manual>manual": 2, ...}: before and after; runs of before sql/0092 have only those that differ';
COMMENT ON COLUMN what_if_verdict.reason IS 'the rules that do not pass, a phrase';
GRANT UPDATE (rules) ON what_if TO keyward_jobs;
