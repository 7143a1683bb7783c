/*
 * Which libraries the process runs with, for reports of faults.  The only
 * place that knows all of them, and nothing else of them.
 */
#ifndef ACME_LIBRARIES_H
#define ACME_LIBRARIES_H

/* "3.0.17", "8.14.1", "2.14"; static. */
const char *acme_libraries_openssl(void);
const char *acme_libraries_curl(void);
const char *acme_libraries_jansson(void);

#endif
