-- Mails to some addresses that have not reached them, for whoever wrote the addresses: of the bound account, or of the installation for the operator. Not why: that is
-- of the operator's mail server, and on the page Mail.
CREATE FUNCTION mail_undelivered(addresses text[]) RETURNS TABLE (recipient text, at timestamptz, state text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT ON (j.payload ->> 'to') j.payload ->> 'to', j.created, CASE WHEN j.state = 'waiting' THEN 'waiting'
		WHEN j.last_error LIKE '%does not take the mail%' THEN 'refused' ELSE 'failed' END
	FROM job j WHERE j.kind = 'mail' AND j.last_error IS NOT NULL AND j.payload ->> 'to' = ANY (addresses)
		AND (j.tenant = current_tenant() OR (j.tenant IS NULL AND current_tenant() IS NULL AND session_user = 'keyward_central'))
	ORDER BY j.payload ->> 'to', j.created DESC
$$;
GRANT EXECUTE ON FUNCTION mail_undelivered(text[]) TO keyward_central, keyward_console;
