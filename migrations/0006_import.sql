-- Keys that were brought from elsewhere, with tokens that Keyward did not make.
--
-- Instances of the version before go on beside this one; to them such tokens are malformed: bring keys in when all instances
-- run this version.

-- How such tokens are recognised and hashed. Few, and they stay: instances read all of them with each look at the changes.
CREATE TABLE auth_key_schemes (
    prefix text COLLATE "C" NOT NULL CHECK (octet_length(prefix) <= 64),
    algorithm text NOT NULL CHECK (algorithm IN ('sha256', 'sha512')),
    part text NOT NULL CHECK (part IN ('token', 'suffix')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (prefix, algorithm, part)
);

-- Whether the prefix is all that the secret begins with, rather than what stands before an underscore; and there may be no last
-- four characters, where only a digest was brought. What there is keeps to the narrower rules: no need to look at it again.
ALTER TABLE auth_key_secrets
    ADD COLUMN whole_prefix boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT auth_key_secrets_prefix_check,
    DROP CONSTRAINT auth_key_secrets_last_four_check,
    ADD CONSTRAINT auth_key_secrets_prefix_check
        CHECK (CASE WHEN whole_prefix THEN octet_length(prefix) <= 64 ELSE prefix ~ '^[a-z0-9_]{1,24}$' END) NOT VALID,
    ADD CONSTRAINT auth_key_secrets_last_four_check
        CHECK (CASE WHEN whole_prefix THEN char_length(last_four) <= 4 ELSE char_length(last_four) = 4 END) NOT VALID;
