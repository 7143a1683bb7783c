/*
 * The status in the forms that mod_md has for it, for programs and people that
 * know those: what anybody may ask of a name's certificate, and a part of a
 * server's own page.  Out of the key area, as acme_live_status.h has it; safe
 * for threads.  Whatever is a stranger's text is escaped where it goes into
 * HTML, and a link only if it is an https URL.
 */
#ifndef ACME_MD_STATUS_H
#define ACME_MD_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_area.h"

/* Where it is found. */
#define ACME_MD_CERTIFICATE_PATH "/.httpd/certificate-status"

/*
 * Appends the JSON of one lineage: "valid" of all its certificates, an object
 * for each key type ("rsa", "secp256r1", ...) with "valid", "serial" and
 * "sha256-fingerprint", and "renewal" while one is obtained.  False: the store
 * has not told of it yet, or memory is short.
 */
bool acme_md_status_certificate(const struct acme_area *area, size_t lineage,
    struct acme_buf *out);

/* A site that knows certificates by their fingerprint. */
struct acme_md_check {
    const char *name;
    const char *url; /* what goes before the fingerprint */
};
#define ACME_MD_CHECK_NAME "crt.sh"
#define ACME_MD_CHECK_URL "https://crt.sh?q="

/* ACME_CONFIG: no http or https URL of some host. */
enum acme_rc acme_md_check_parse(const char *url, struct acme_error *err);

enum acme_md_form {
    ACME_MD_HTML, /* a table */
    ACME_MD_AUTO  /* "ManagedDomain[0]Names[0]: a.example" */
};

/* Appends all lineages.  What does not fit is left out. */
void acme_md_status_table(const struct acme_area *area, size_t nlineages,
    enum acme_md_form form, const struct acme_md_check *check, time_t now,
    struct acme_buf *out);

/* As much as that can be. */
size_t acme_md_status_max(size_t nlineages);

#endif
