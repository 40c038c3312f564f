-- Metadata of an identity provider that were fetched by an address (IDN-3): {url, ca, fetched}; null: they were given as a file.
ALTER TABLE saml ADD COLUMN source jsonb, ADD COLUMN proposed_source jsonb;
ALTER TABLE operator_saml ADD COLUMN source jsonb, ADD COLUMN proposed_source jsonb;
