-- What is known of providers. One that ATTACHES can hand a device to another instance while that runs: its devices' ids are theirs
-- alone, a device moves between instances, can be pooled (POL-5) and reassigned to another image (DEV-4). Everywhere else, and with
-- providers that nobody has entered here, a device belongs to its machine: two machines may use the same id for different disks.
CREATE TABLE provider (
	name text PRIMARY KEY,
	label text NOT NULL,
	attaches boolean NOT NULL
);
INSERT INTO provider VALUES ('native', 'Native', false), ('vcloud', 'vCloud Director', false), ('ec2', 'Amazon EC2', true),
	('eucalyptus', 'Eucalyptus', true), ('openstack', 'OpenStack', true), ('azure', 'Azure', true), ('gcp', 'Google Cloud', true);
GRANT SELECT ON provider TO keyward_console, keyward_agent, keyward_jobs;

CREATE FUNCTION provider_attaches(provider text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce((SELECT p.attaches FROM provider p WHERE p.name = $1), false) $$;
CREATE FUNCTION provider_label(provider text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce((SELECT p.label FROM provider p WHERE p.name = $1), $1) $$;
GRANT EXECUTE ON FUNCTION provider_attaches(text), provider_label(text) TO keyward_console, keyward_agent, keyward_jobs;

CREATE OR REPLACE FUNCTION device_machine(provider text, instance uuid) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN provider_attaches(provider) THEN '00000000-0000-0000-0000-000000000000'::uuid ELSE instance END $$;

-- Of the LUKS2 header on a device, as its agent reports: its UUID ('': none), and which version of its device's key the token names.
ALTER TABLE device ADD found_luks text NOT NULL DEFAULT '', ADD token_version int;
GRANT UPDATE (found_luks, token_version) ON device TO keyward_agent;

-- A clone's key is a copy that keyd has wrapped anew for the clone (docs/keys.md): for which device and version it was made, which is
-- what the token in the LUKS2 header names. Null: for the row's own.
ALTER TABLE device_key ADD made_for uuid, ADD made_version int, ADD CHECK ((made_for IS NULL) = (made_version IS NULL));
CREATE INDEX device_key_made ON device_key (tenant, coalesce(made_for, device), coalesce(made_version, version));

-- Since when a device has its status.
ALTER TABLE device ADD status_since timestamptz NOT NULL DEFAULT now();
CREATE FUNCTION device_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.status_since := now();
	RETURN NEW;
END
$$;
CREATE TRIGGER device_status_since BEFORE UPDATE OF status ON device FOR EACH ROW
	WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION device_status_since();
