-- What lists are searched for: the names of images, instances, devices and policies, one row each, with an index that finds parts of
-- words (PERF-2). Apart from their own tables, whose rows are written with every heartbeat: these only when a name changes.

CREATE SCHEMA extension;
CREATE EXTENSION pg_trgm SCHEMA extension;
CREATE EXTENSION btree_gin SCHEMA extension;

CREATE TABLE search_text (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	kind text NOT NULL CHECK (kind IN ('image', 'instance', 'device', 'policy')),
	body text NOT NULL,                     -- a line for each name
	PRIMARY KEY (id, tenant)                -- not by tenant first: that would look like a way to search
);
SELECT isolate('search_text');
CREATE INDEX search_text_body ON search_text USING gin (tenant extension.uuid_ops, body extension.gin_trgm_ops);

-- Nobody but the owner's functions below touches it.
CREATE POLICY search_owner ON search_text FOR ALL TO keyward_owner USING (true) WITH CHECK (true);

-- Definer, of triggers: whoever changes a name need not be able to write here.
CREATE FUNCTION search_text_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	kind CONSTANT text := TG_TABLE_NAME;
	names text;
BEGIN
	IF TG_OP = 'DELETE' THEN
		DELETE FROM search_text s WHERE s.tenant = OLD.tenant AND s.id = OLD.id;
		RETURN NULL;
	END IF;
	IF kind = 'image' THEN
		names := concat_ws(E'\n', NEW.name, NEW.provider_image);
	ELSIF kind = 'instance' THEN
		names := concat_ws(E'\n', NEW.host_name, NEW.provider_instance, NEW.distribution);
	ELSIF kind = 'device' THEN
		names := concat_ws(E'\n', NEW.name, NEW.description, NEW.provider_device, NEW.mount_point);
	ELSE
		names := NEW.name;
	END IF;
	INSERT INTO search_text AS s (tenant, id, kind, body) VALUES (NEW.tenant, NEW.id, kind, names)
		ON CONFLICT (id, tenant) DO UPDATE SET body = excluded.body WHERE s.body <> excluded.body;
	RETURN NULL;
END
$$;
CREATE TRIGGER search_text AFTER INSERT OR DELETE OR UPDATE OF name, provider_image ON image
	FOR EACH ROW EXECUTE FUNCTION search_text_write();
CREATE TRIGGER search_text AFTER INSERT OR DELETE OR UPDATE OF name ON policy
	FOR EACH ROW EXECUTE FUNCTION search_text_write();
CREATE TRIGGER search_text_new AFTER INSERT OR DELETE ON instance FOR EACH ROW EXECUTE FUNCTION search_text_write();
CREATE TRIGGER search_text AFTER UPDATE OF host_name, provider_instance, distribution ON instance FOR EACH ROW
	WHEN (OLD.host_name <> NEW.host_name OR OLD.provider_instance <> NEW.provider_instance OR OLD.distribution <> NEW.distribution)
	EXECUTE FUNCTION search_text_write();
CREATE TRIGGER search_text_new AFTER INSERT OR DELETE ON device FOR EACH ROW EXECUTE FUNCTION search_text_write();
CREATE TRIGGER search_text AFTER UPDATE OF name, description, provider_device, mount_point ON device FOR EACH ROW
	WHEN (OLD.name <> NEW.name OR OLD.description <> NEW.description OR OLD.provider_device <> NEW.provider_device
		OR OLD.mount_point <> NEW.mount_point)
	EXECUTE FUNCTION search_text_write();

-- At most MOST of the transaction's tenant's rows of KINDS that are like PATTERN. Definer: under row security an index is only asked
-- about what gives nothing away by itself, and LIKE is not taken for that; so the tenant is named here, and nothing else is given
-- out than whoever may ask may read in the tables themselves. Planned anew each time, for the pattern decides; and always by the
-- index, which alone does not read all rows for what is not there.
CREATE FUNCTION search_found(pattern text, kinds text[], most int) RETURNS TABLE (kind text, id uuid) LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = public, pg_temp SET enable_seqscan = off SET enable_indexscan = off
AS $$
BEGIN
	RETURN QUERY EXECUTE 'SELECT s.kind, s.id FROM search_text s WHERE s.tenant = $1 AND s.body ILIKE $2 AND s.kind = ANY ($3) LIMIT $4'
		USING nullif(current_setting('keyward.tenant', true), '')::uuid, pattern, kinds, most;
END
$$;
GRANT EXECUTE ON FUNCTION search_found(text, text[], int) TO keyward_console;
