-- The log: one hash chain per tenant, and one of the installation itself under the nil UUID. Nobody has a right to write here;
-- audit_append is the only way in. src/audit/chain.c computes the same bytes.

-- A type's own check is made ready once per session, a table's by every statement that writes to it.
CREATE DOMAIN hash32 AS bytea CHECK (length(VALUE) = 32);

CREATE TABLE audit_head (
	tenant uuid PRIMARY KEY,
	seq bigint NOT NULL,
	hash hash32 NOT NULL
);
SELECT isolate('audit_head');

CREATE TABLE audit_entry (
	tenant uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	category text NOT NULL,
	event text NOT NULL,
	actor_kind text NOT NULL,
	actor_id uuid,
	actor_name text,
	object_kind text,
	object_id uuid,
	object_name text,
	detail json,                            -- json, not jsonb: the text that was hashed is the text that is kept
	address text,
	request text,
	written_by text NOT NULL,               -- the database role that was signed in: it cannot be chosen by the caller
	previous hash32 NOT NULL,
	hash hash32 NOT NULL,
	PRIMARY KEY (tenant, seq)
);
SELECT isolate('audit_entry');
CREATE INDEX audit_entry_at ON audit_entry (tenant, at, seq);
CREATE INDEX audit_entry_category ON audit_entry (tenant, category, seq);
CREATE INDEX audit_entry_object ON audit_entry (tenant, object_id, seq) WHERE object_id IS NOT NULL;

-- audit_append writes for every tenant: it runs as the owner and takes the tenant from the transaction itself.
CREATE POLICY audit_owner ON audit_head FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
CREATE POLICY audit_owner ON audit_entry FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
-- The operator reads the installation's chain and, whatever it binds to, no other: restrictive policies narrow the one of
-- isolate(), the permissive ones let an unbound operator see the nil UUID.
CREATE POLICY audit_installation ON audit_head FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_installation ON audit_entry FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_operator ON audit_head AS RESTRICTIVE FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_operator ON audit_entry AS RESTRICTIVE FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
-- And a tenant's process cannot read the installation's by binding to the nil UUID.
CREATE POLICY audit_tenant ON audit_head AS RESTRICTIVE FOR SELECT TO keyward_console, keyward_jobs
	USING (tenant <> '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_tenant ON audit_entry AS RESTRICTIVE FOR SELECT TO keyward_console, keyward_jobs
	USING (tenant <> '00000000-0000-0000-0000-000000000000');
GRANT SELECT ON audit_head, audit_entry TO keyward_central, keyward_console, keyward_jobs;

-- One field of the hashed text: four bytes of length, then the bytes; a null is the length -1. No more stable than convert_to
-- is: only so are they expanded in place.
CREATE FUNCTION audit_field(v uuid) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce('\x00000010'::bytea || uuid_send(v), '\xffffffff') $$;
CREATE FUNCTION audit_field(v bigint) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce('\x00000008'::bytea || int8send(v), '\xffffffff') $$;
CREATE FUNCTION audit_field(v text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(int4send(octet_length(v)) || convert_to(v, 'UTF8'), '\xffffffff') $$;

-- Definer: no role may write the tables. The tenant is the transaction's; only the operator's side and the administrator may
-- write without one, into the installation's chain. A role can only name actors of its own kind, so that the operator's
-- console cannot log in a tenant's user's name, nor the agent service in a person's.
--
-- Every change of anything comes through here. plpgsql, because each session keeps its plans; few and short statements, because
-- each costs its set-up again every time.
CREATE FUNCTION audit_append(category text, event text, actor_kind text, actor_id uuid, actor_name text, object_kind text,
	object_id uuid, object_name text, detail json, address text, request text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	bound CONSTANT uuid := nullif(current_setting('keyward.tenant', true), '')::uuid;
	chain CONSTANT uuid := coalesce(bound, nil);
	role CONSTANT text := session_user;
	last bigint;
	stamp timestamptz;
	former bytea;
	own bytea;
BEGIN
	IF chain = nil AND (bound IS NOT NULL OR role IN ('keyward_console', 'keyward_agent')) THEN
		RAISE EXCEPTION 'an entry needs a tenant' USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NOT (CASE role
		WHEN 'keyward_central' THEN actor_kind IN ('operator', 'system', 'anonymous')
		WHEN 'keyward_console' THEN actor_kind IN ('user', 'system', 'anonymous')
		WHEN 'keyward_agent' THEN actor_kind IN ('agent', 'system', 'anonymous')
		WHEN 'keyward_jobs' THEN actor_kind = 'system'
		ELSE true END) THEN
		RAISE EXCEPTION 'role % cannot log as %', role, actor_kind USING ERRCODE = 'insufficient_privilege';
	END IF;
	SELECT h.seq, h.hash INTO last, former FROM audit_head h WHERE h.tenant = chain FOR UPDATE;
	IF NOT FOUND THEN
		IF chain <> nil AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = chain) THEN
			RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'insufficient_privilege';
		END IF;
		INSERT INTO audit_head VALUES (chain, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
		SELECT h.seq, h.hash INTO STRICT last, former FROM audit_head h WHERE h.tenant = chain FOR UPDATE;
	END IF;
	last := last + 1;
	stamp := clock_timestamp();
	own := sha256('\x0000000f'::bytea || 'keyward-audit-1'::bytea || audit_field(chain) || audit_field(last)
		|| audit_field((extract(epoch FROM stamp) * 1000000)::bigint) || audit_field(category) || audit_field(event)
		|| audit_field(actor_kind) || audit_field(actor_id) || audit_field(actor_name)
		|| audit_field(object_kind) || audit_field(object_id) || audit_field(object_name)
		|| audit_field(detail::text) || audit_field(address) || audit_field(request) || audit_field(role)
		|| '\x00000020'::bytea || former);
	INSERT INTO audit_entry VALUES (chain, last, stamp, category, event, actor_kind, actor_id, actor_name, object_kind, object_id,
		object_name, detail, address, request, role, former, own);
	UPDATE audit_head h SET seq = last, hash = own WHERE h.tenant = chain;
	RETURN last;
END
$$;
GRANT EXECUTE ON FUNCTION audit_append(text, text, text, uuid, text, text, uuid, text, json, text, text)
	TO keyward_central, keyward_console, keyward_agent, keyward_jobs;
