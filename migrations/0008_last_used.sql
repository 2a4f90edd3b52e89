-- Keys that were never used go by their ids, which grow as keys are made: the one that lay about for longest comes first where
-- those last used longest ago do.

CREATE INDEX auth_key_usage_latest ON auth_key_usage (last_used_at DESC NULLS LAST, key_id DESC);
DROP INDEX auth_key_usage_last;
