-- What went wrong at an address that an account has entered (webhook, Deep Security, key server, receiver of its log) names that address: the account's
-- pages say it, and the operator's queue says only whose it is (TEN-3).
CREATE OR REPLACE VIEW job_seen AS SELECT j.id, j.tenant AS account, coalesce(t.name, '') AS account_name, j.kind, j.attempts, j.created, j.run_at, j.locked_until,
	CASE WHEN j.state = 'failed' THEN 'failed'
		WHEN j.locked_until > now() AND j.run_at <= now() THEN 'running'
		WHEN j.run_at > now() AND j.attempts > 0 THEN 'again'
		WHEN j.run_at > now() THEN 'later'
		ELSE 'waiting' END AS state,
	CASE WHEN j.tenant IS NOT NULL AND j.last_error <> '' AND j.kind IN ('webhook', 'deep-security-test', 'deep-security-ask', 'key-server', 'log-forward')
		THEN 'an address of the account''s own did not take it; the account sees why'
		ELSE regexp_replace(coalesce(j.last_error, ''), '[^[:space:]<>@"'']+@[^[:space:]<>@"'']+', '(an address)', 'g') END AS last_error
	FROM job j LEFT JOIN tenant t ON t.id = j.tenant;
