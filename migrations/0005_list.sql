-- What lists of keys are found by. A page begins in an index, in any order and wherever it begins; a filter that few keys pass
-- has an index that finds those.
--
-- Making the indexes holds up changes of keys, not traffic; docs/operations.md says for how long.

CREATE INDEX auth_keys_name ON auth_keys (name, id);

-- Keys without an end come last.
CREATE INDEX auth_keys_end ON auth_keys (expires_at, id);

CREATE INDEX auth_keys_deactivated ON auth_keys (created_at DESC, name, id) WHERE deactivated_at IS NOT NULL;
CREATE INDEX auth_keys_disabled ON auth_keys (created_at DESC, name, id) WHERE NOT enabled AND deactivated_at IS NULL;

CREATE INDEX auth_keys_scopes ON auth_keys USING gin (scopes);

-- Finds labels by name too, which the index before could not.
CREATE INDEX auth_keys_label_names ON auth_keys USING gin (labels);
DROP INDEX auth_keys_labels;

CREATE INDEX auth_key_secrets_prefix ON auth_key_secrets (prefix);
CREATE INDEX auth_key_secrets_last_four ON auth_key_secrets (last_four);

-- Text is found by its trigrams, where the extension that knows them may be made; elsewhere each key is looked at.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX auth_keys_text ON auth_keys USING gin (name gin_trgm_ops, description gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR undefined_object THEN
    RAISE NOTICE 'searches for text will be slow: %', SQLERRM;
END
$$;
