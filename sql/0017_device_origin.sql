-- What is in the way of encrypting a device, and whose volume lies on it (VOL-4, VOL-5): as its agent reports.

ALTER TABLE device
	ADD COLUMN unusable text NOT NULL DEFAULT '',           -- why it cannot be encrypted now; '' when it can
	ADD COLUMN token_account uuid,          -- of the token in the LUKS2 header: no references, it may name what never was here
	ADD COLUMN token_device uuid,
	ADD COLUMN token_server text NOT NULL DEFAULT '';
GRANT UPDATE (unusable, token_account, token_device, token_server) ON device TO keyward_agent;
