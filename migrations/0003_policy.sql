-- What limits a key, beside its scopes, its end and its state.
--
-- Instances of the version before know nothing of these limits, and would let requests in that they refuse: set them when all
-- instances run this version.

ALTER TABLE auth_keys
    ADD COLUMN not_before timestamptz,
    ADD COLUMN allowed_methods text[] NOT NULL DEFAULT '{}',
    ADD COLUMN allowed_paths text[] NOT NULL DEFAULT '{}',
    ADD COLUMN allowed_cidrs text[] NOT NULL DEFAULT '{}',
    ADD COLUMN report_only text[] NOT NULL DEFAULT '{}';
