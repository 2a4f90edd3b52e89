/// The commit that the build was given as KEYWARD_COMMIT (see Package.swift), or an empty text.
const char *keyward_commit(void);
