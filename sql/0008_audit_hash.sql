-- As stable as convert_to is, no more: only so is it expanded in place.
CREATE OR REPLACE FUNCTION audit_field(v text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN v IS NULL THEN '\xffffffff'::bytea
	ELSE int4send(octet_length(v)) || convert_to(v, 'UTF8') END $$;

-- The same hash, as a function whose plan each session keeps: one in plain SQL is parsed and planned anew in every transaction
-- that logs something, which cost more than all else a key's delivery asks of the database.
CREATE OR REPLACE FUNCTION audit_hash(e audit_entry) RETURNS bytea LANGUAGE plpgsql STABLE
AS $$
BEGIN
	RETURN sha256(audit_field('keyward-audit-1'::text) || audit_field(uuid_send(e.tenant)) || audit_field(int8send(e.seq))
		|| audit_field(int8send((extract(epoch FROM e.at) * 1000000)::bigint))
		|| audit_field(e.category) || audit_field(e.event)
		|| audit_field(e.actor_kind) || audit_field(uuid_send(e.actor_id)) || audit_field(e.actor_name)
		|| audit_field(e.object_kind) || audit_field(uuid_send(e.object_id)) || audit_field(e.object_name)
		|| audit_field(e.detail::text) || audit_field(e.address) || audit_field(e.request) || audit_field(e.written_by)
		|| audit_field(e.previous));
END
$$;
