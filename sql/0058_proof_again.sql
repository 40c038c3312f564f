-- People of an identity provider prove there, once more, that it is they, before an act that asks others for their password.

ALTER TABLE saml_request DROP CONSTRAINT saml_request_purpose_check,
	ADD CONSTRAINT saml_request_purpose_check CHECK (purpose IN ('sign-in', 'test', 'sign-out', 'again')),
	ADD COLUMN session uuid,                -- of who proves it again
	ADD CONSTRAINT saml_request_again CHECK (purpose <> 'again' OR (session IS NOT NULL AND user_id IS NOT NULL));
ALTER TABLE operator_saml_request DROP CONSTRAINT operator_saml_request_purpose_check,
	ADD CONSTRAINT operator_saml_request_purpose_check CHECK (purpose IN ('sign-in', 'test', 'sign-out', 'again')),
	ADD COLUMN session uuid,
	ADD CONSTRAINT operator_saml_request_again CHECK (purpose <> 'again' OR (session IS NOT NULL AND user_id IS NOT NULL));
ALTER TABLE saml_session ADD COLUMN proven timestamptz;
ALTER TABLE operator_saml_session ADD COLUMN proven timestamptz;
GRANT UPDATE (proven) ON saml_session TO keyward_console;
GRANT UPDATE (proven) ON operator_saml_session TO keyward_central;
