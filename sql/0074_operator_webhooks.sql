-- The operator's webhooks (NTF-3): the installation's rows beside the accounts', as of its notices (sql/0052) and groups (sql/0061). Their secrets are
-- under the root key.
ALTER TABLE webhook DROP CONSTRAINT webhook_tenant_fkey;
DROP POLICY tenant ON webhook;
SELECT isolate_notice('webhook');
DROP POLICY tenant ON webhook_delivery;
SELECT isolate_notice('webhook_delivery');
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook TO keyward_central;
GRANT SELECT, INSERT ON webhook_delivery TO keyward_central;
-- Once more: only accounts have a task of their own.
CREATE OR REPLACE FUNCTION webhook_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT w.tenant FROM webhook w WHERE w.tenant <> '00000000-0000-0000-0000-000000000000' AND w.enabled
		AND EXISTS (SELECT 1 FROM notice n WHERE n.tenant = w.tenant AND n.seq > w.told)
$$;
