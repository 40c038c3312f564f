-- Destruction of devices' keys (KEY-7): asked for, perhaps confirmed by somebody else, carried out after a waiting period.

CREATE TABLE destruction_rule (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	days int NOT NULL CHECK (days BETWEEN 1 AND 365),
	people int NOT NULL CHECK (people BETWEEN 1 AND 2)
);
SELECT isolate('destruction_rule');
GRANT SELECT, INSERT, UPDATE ON destruction_rule TO keyward_console;
-- What holds where the account has set nothing.
CREATE FUNCTION destruction_rule_now(OUT days int, OUT people int) LANGUAGE sql STABLE
AS $$ SELECT coalesce(max(r.days), 7), coalesce(max(r.people), 2) FROM destruction_rule r WHERE r.tenant = current_tenant() $$;
GRANT EXECUTE ON FUNCTION destruction_rule_now() TO keyward_console;

CREATE TABLE destruction (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	device uuid NOT NULL,                   -- or an array: all its members' keys
	state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'cancelled')),
	comment text NOT NULL DEFAULT '',
	people int NOT NULL,                    -- as the account's rule was then
	asked timestamptz NOT NULL DEFAULT now(),
	asked_by uuid NOT NULL,
	asked_by_name text NOT NULL,
	due timestamptz NOT NULL,
	confirmed timestamptz,
	confirmed_by uuid,
	confirmed_by_name text,
	finished timestamptz,
	finished_by_name text,
	keys int,                               -- that were destroyed
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE,
	CHECK ((finished IS NULL) = (state = 'waiting')),
	CHECK ((confirmed IS NULL) = (confirmed_by IS NULL)),
	CHECK (confirmed_by IS NULL OR confirmed_by <> asked_by),        -- whatever the console thinks
	CHECK (state <> 'done' OR people = 1 OR confirmed IS NOT NULL)
);
SELECT isolate('destruction');
CREATE UNIQUE INDEX destruction_waiting ON destruction (tenant, device) WHERE state = 'waiting';
CREATE INDEX destruction_asked ON destruction (tenant, asked DESC, id);
CREATE INDEX destruction_due ON destruction (due) WHERE state = 'waiting';
GRANT SELECT, INSERT, UPDATE (state, confirmed, confirmed_by, confirmed_by_name, finished, finished_by_name) ON destruction TO keyward_console;
-- The update is for locking a row; jobd cannot make or confirm one.
GRANT SELECT, UPDATE (keys) ON destruction TO keyward_jobs;

-- A device that is no longer configured has no keys left, and those it gets later are not meant.
CREATE FUNCTION destruction_void() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	UPDATE destruction SET state = 'cancelled', finished = now(), finished_by_name = '' WHERE tenant = NEW.tenant AND device = NEW.id
		AND state = 'waiting';
	RETURN NULL;
END
$$;
CREATE TRIGGER device_destruction AFTER UPDATE OF configured ON device FOR EACH ROW
	WHEN (OLD.configured IS NOT NULL AND NEW.configured IS NULL) EXECUTE FUNCTION destruction_void();

-- jobd may destroy what was asked for and is due, and nothing else. NEW_STATUS by the table of policy/device_state.c. The number of keys that
-- are gone, former ones and those of a rotation included.
CREATE FUNCTION destruction_carry_out(wanted uuid, new_status text) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	target uuid;
	gone int;
BEGIN
	SELECT x.device INTO target FROM destruction x WHERE x.id = wanted AND x.state = 'waiting' AND x.due <= now()
		AND (x.people = 1 OR x.confirmed IS NOT NULL) FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'nobody has asked for it, or it is not due' USING ERRCODE = 'insufficient_privilege';
	END IF;
	UPDATE rotation r SET state = 'cancelled', finished = now() FROM device d WHERE d.tenant = r.tenant AND d.id = r.device
		AND (d.id = target OR d.raid = target) AND r.finished IS NULL;
	UPDATE device d SET status = CASE WHEN d.id = target THEN new_status WHEN d.status = 'undetected' THEN d.status ELSE 'not-configured' END,
		filesystem = '',
		mount_point = '', configured = NULL, luks_uuid = '', key_created = NULL, key_rotated = NULL,
		key_version = greatest(d.key_version, coalesce((SELECT max(k.version) FROM device_key k WHERE k.tenant = d.tenant AND k.device = d.id), 0)),
		progress = 0, overwrite = false,
		error = NULL, adopted = NULL, cipher = CASE WHEN d.adopted IS NULL THEN d.cipher ELSE 'aes' END,
		mode = CASE WHEN d.adopted IS NULL THEN d.mode ELSE 'xts-plain64' END,
		key_bits = CASE WHEN d.adopted IS NULL THEN d.key_bits ELSE 256 END, changed = now()
		WHERE d.id = target OR d.raid = target;
	DELETE FROM device_key k USING device d WHERE d.tenant = k.tenant AND d.id = k.device AND (d.id = target OR d.raid = target);
	GET DIAGNOSTICS gone = ROW_COUNT;
	UPDATE destruction SET state = 'done', finished = now(), finished_by_name = 'jobd', keys = gone WHERE id = wanted;
	RETURN gone;
END
$$;
GRANT EXECUTE ON FUNCTION destruction_carry_out(uuid, text) TO keyward_jobs;

-- For jobd, bound to none: ids, nothing else. Definer, as those of sql/0009. A suspended account's wait until it is active again.
CREATE POLICY destruction_owner ON destruction FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION destruction_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT x.tenant FROM destruction x JOIN tenant t ON t.id = x.tenant WHERE t.state = 'active' AND x.state = 'waiting' AND x.due <= now()
$$;
GRANT EXECUTE ON FUNCTION destruction_tenants() TO keyward_jobs;
