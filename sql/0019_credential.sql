-- Credentials of a provider (access key pairs), one set per image (CFG-3): given by one guest, picked up by every agent of the image.

CREATE TABLE image_credential (
	tenant uuid NOT NULL,
	image uuid NOT NULL,
	provider text NOT NULL,                 -- the plug-in that they are for
	version int NOT NULL CHECK (version > 0),       -- one more with each change
	label text NOT NULL,                    -- what of them is no secret: an access key id, a user name
	secret bytea,                           -- wrapped by the key service, which gives it to agents alone; null: removed
	instance uuid,                          -- the guest that they came from
	host_name text NOT NULL DEFAULT '',     -- its name then
	changed timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, image),
	FOREIGN KEY (tenant, image) REFERENCES image ON DELETE CASCADE,
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE SET NULL (instance)
);
SELECT isolate('image_credential');
GRANT SELECT, INSERT, UPDATE ON image_credential TO keyward_agent;
-- Never the secret, wrapped though it is.
GRANT SELECT (tenant, image, provider, version, label, instance, host_name, changed), UPDATE (version, secret, label, changed)
	ON image_credential TO keyward_console;
