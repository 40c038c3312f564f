-- Webhooks (NTF-3): other systems that an account has told of events, and every delivery.

CREATE TABLE webhook (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	url text NOT NULL CHECK (length(url) <= 2000 AND url LIKE 'https://%'),
	format text NOT NULL DEFAULT 'json' CHECK (format IN ('json', 'slack', 'teams')),
	events text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 100),
	ca text NOT NULL DEFAULT '',            -- PEM of what is trusted for it, in place of the system's
	secret bytea NOT NULL,                  -- a blob of keyd
	enabled boolean NOT NULL DEFAULT true,
	stopped text,                           -- why it was switched off by itself
	failures int NOT NULL DEFAULT 0,        -- deliveries that came to nothing since the last that did not
	told bigint NOT NULL,                   -- the entry of the log up to which it has been told
	created timestamptz NOT NULL DEFAULT now(),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	PRIMARY KEY (tenant, id)
);
SELECT isolate('webhook');
CREATE UNIQUE INDEX webhook_name ON webhook (tenant, lower(name));
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook TO keyward_console;
GRANT SELECT, UPDATE (told, failures, enabled, stopped, secret) ON webhook TO keyward_jobs;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF secret ON webhook FOR EACH ROW EXECUTE FUNCTION under_tenant_key('secret');

CREATE TABLE webhook_delivery (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	webhook uuid NOT NULL,
	event text NOT NULL,
	body text NOT NULL,                     -- the same bytes at every attempt
	state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
	is_test boolean NOT NULL DEFAULT false,
	attempts int NOT NULL DEFAULT 0,
	status int,                             -- of the last answer
	answer text,                            -- its beginning
	error text,
	took_ms int,
	created timestamptz NOT NULL DEFAULT now(),
	tried timestamptz,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, webhook) REFERENCES webhook ON DELETE CASCADE
);
SELECT isolate('webhook_delivery');
CREATE INDEX webhook_delivery_of ON webhook_delivery (tenant, webhook, created, id);
GRANT SELECT, INSERT ON webhook_delivery TO keyward_console;
GRANT SELECT, INSERT, DELETE, UPDATE (state, attempts, status, answer, error, took_ms, tried) ON webhook_delivery TO keyward_jobs;

-- Tenants with a webhook that has yet to be told of something. Definer: ids, nothing else.
CREATE POLICY webhook_owner ON webhook FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION webhook_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT w.tenant FROM webhook w WHERE w.enabled AND EXISTS (SELECT 1 FROM notice n WHERE n.tenant = w.tenant AND n.seq > w.told)
$$;
GRANT EXECUTE ON FUNCTION webhook_tenants() TO keyward_jobs;

-- Parts of the server that jobd has found in trouble; told once it has lasted.
CREATE TABLE trouble (
	part text PRIMARY KEY,
	since timestamptz NOT NULL DEFAULT now(),
	reason text NOT NULL,
	told boolean NOT NULL DEFAULT false
);
GRANT SELECT, INSERT, DELETE, UPDATE (reason, told) ON trouble TO keyward_jobs;
GRANT EXECUTE ON FUNCTION mail_queue() TO keyward_jobs;
