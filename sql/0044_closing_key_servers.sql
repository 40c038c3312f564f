-- An account that ends (TEN-7) takes its keys on key servers with it (KEY-3): they go first, as its own key opens what points to them.

ALTER TABLE tenant_closure
	ADD begun timestamptz,                           -- the step without return
	ADD server_keys bigint NOT NULL DEFAULT 0;       -- that were to be destroyed on key servers then
UPDATE tenant_closure SET begun = shredded;

-- What was announced, is due and was not cancelled begins: at most MOST keys on key servers lose their references, so that jobd destroys them
-- there. How many references; null: it is not to be, or its key is gone already. Definer, as the others of sql/0035_closing.sql.
CREATE FUNCTION tenant_close_begin(closure uuid, most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
	c tenant_closure;
	n int;
BEGIN
	SELECT * INTO c FROM tenant_closure x WHERE x.id = closure FOR UPDATE;
	IF NOT FOUND OR c.cancelled IS NOT NULL OR c.shredded IS NOT NULL OR c.close_at > now() THEN
		RETURN NULL;
	END IF;
	UPDATE tenant t SET state = 'closing', state_changed = now() WHERE t.id = c.account AND t.state <> 'closing';
	PERFORM set_config('keyward.tenant', c.account::text, true);
	DELETE FROM device_key k WHERE k.tenant = c.account AND (k.device, k.version) IN (SELECT d.device, d.version FROM device_key d
		WHERE d.tenant = c.account AND d.key_server IS NOT NULL LIMIT most);
	GET DIAGNOSTICS n = ROW_COUNT;
	UPDATE tenant_closure x SET begun = coalesce(x.begun, now()),
		server_keys = x.server_keys + (SELECT count(*) FROM key_server_gone g WHERE g.tenant = c.account
			AND (g.at = now() OR c.begun IS NULL)) WHERE x.id = closure;
	PERFORM set_config('keyward.tenant', former, true);
	RETURN n;
END
$$;

-- As it was, but that each number is the account's own (the owner's policies show it others' references, too); and null: keys are still to be destroyed on key servers, for at most PATIENCE. What was not is counted as left behind.
DROP FUNCTION tenant_shred(uuid);
CREATE FUNCTION tenant_shred(closure uuid, patience interval) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
	c tenant_closure;
	counted jsonb;
	waiting bigint;
BEGIN
	SELECT * INTO c FROM tenant_closure x WHERE x.id = closure FOR UPDATE;
	IF NOT FOUND OR c.cancelled IS NOT NULL OR c.finished IS NOT NULL OR c.begun IS NULL THEN
		RETURN false;
	END IF;
	IF c.shredded IS NOT NULL THEN
		RETURN true;
	END IF;
	PERFORM 1 FROM tenant t WHERE t.id = c.account FOR UPDATE;
	PERFORM set_config('keyward.tenant', c.account::text, true);
	SELECT count(*) INTO waiting FROM key_server_gone g WHERE g.tenant = c.account;
	IF waiting > 0 AND c.begun + patience > now() THEN
		PERFORM set_config('keyward.tenant', former, true);
		RETURN NULL;
	END IF;
	SELECT jsonb_build_object('devices', (SELECT count(*) FROM device x WHERE x.tenant = c.account),
		'device_keys', (SELECT count(*) FROM device_key x WHERE x.tenant = c.account),
		'users', (SELECT count(*) FROM app_user x WHERE x.tenant = c.account),
		'policies', (SELECT count(*) FROM policy x WHERE x.tenant = c.account),
		'instances', (SELECT count(*) FROM instance x WHERE x.tenant = c.account),
		'requests', (SELECT count(*) FROM key_request x WHERE x.tenant = c.account),
		'entries', coalesce((SELECT h.seq FROM audit_head h WHERE h.tenant = c.account), 0),
		'log', (SELECT encode(h.hash, 'hex') FROM audit_head h WHERE h.tenant = c.account),
		'server_keys', c.server_keys, 'server_keys_left', waiting, 'servers_left', (SELECT string_agg(DISTINCT s.host, ', ')
			FROM key_server_gone g JOIN (SELECT 'tenant' AS place, k.host FROM key_server k WHERE k.tenant = c.account
				UNION ALL SELECT 'installation', i.host FROM installation_key_server i) s ON s.place = g.key_server
			WHERE g.tenant = c.account)) INTO counted;
	PERFORM set_config('keyward.tenant', former, true);
	UPDATE tenant t SET wrapped_key = NULL, key_id = NULL, former_key_id = NULL, settings = '{}' WHERE t.id = c.account;
	UPDATE tenant_closure x SET shredded = now(), facts = counted WHERE x.id = closure;
	RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION tenant_close_begin(uuid, int), tenant_shred(uuid, interval) TO keyward_jobs;
