#ifndef KEYWARD_CLIBPQ_SHIM_H
#define KEYWARD_CLIBPQ_SHIM_H
#include <libpq-fe.h>
/* Not part of Swift's Glibc module. */
#include <sys/epoll.h>

/* Field codes of PQresultErrorField: character constants in libpq's header, which Swift does not import. */
static const int KEYWARD_DIAG_SEVERITY = 'V';
static const int KEYWARD_DIAG_SQLSTATE = 'C';
static const int KEYWARD_DIAG_MESSAGE = 'M';
static const int KEYWARD_DIAG_DETAIL = 'D';
static const int KEYWARD_DIAG_CONSTRAINT = 'n';
static const int KEYWARD_DIAG_SOURCE_FUNCTION = 'R';
#endif
