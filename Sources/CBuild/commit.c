#include "CBuild.h"

const char *keyward_commit(void) { return KEYWARD_COMMIT; }
