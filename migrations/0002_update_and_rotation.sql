-- Labels and metadata of keys, and the identity of a rotation.
--
-- Every column is nullable or has a constant default, so that no table is rewritten, and instances of the version before go on
-- beside this one.

ALTER TABLE auth_keys
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object');

CREATE INDEX auth_keys_labels ON auth_keys USING gin (labels jsonb_path_ops);

-- What a rotation is called. A secret that came with its key has none.
ALTER TABLE auth_key_secrets ADD COLUMN rotation_id uuid;

-- The rotation that was carried out under an Idempotency-Key; none for the making of a key.
ALTER TABLE idempotency_claims ADD COLUMN rotation_id uuid;
