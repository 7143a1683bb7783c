/*
 * Enhancements: what a server does about requests so that clients come by
 * https, and stay there.  As it is said by a directive, or of a lineage, and
 * what comes of it at some time.  Pure; knows no request.
 */
#ifndef ACME_ENHANCE_H
#define ACME_ENHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_error.h"
#include "wrap/acme_json.h"

/* Whether plain requests are sent to https. */
enum acme_redirect {
    ACME_REDIRECT_UNSAID,
    ACME_REDIRECT_OFF,
    ACME_REDIRECT_TEMPORARY,
    ACME_REDIRECT_PERMANENT,
    ACME_REDIRECTS
};

/* Whether clients are told to come by https alone (RFC 6797). */
enum acme_hsts_mode {
    ACME_HSTS_UNSAID,
    ACME_HSTS_OFF,
    ACME_HSTS_FIXED,
    ACME_HSTS_AUTO, /* for longer and longer */
    ACME_HSTS_MODES
};

struct acme_hsts {
    enum acme_hsts_mode mode;
    unsigned max_age; /* of FIXED */
    bool subdomains, preload;
};

/* Whether they are told to fetch what pages refer to by https, too (the
 * directive upgrade-insecure-requests of a Content-Security-Policy). */
enum acme_upgrade {
    ACME_UPGRADE_UNSAID,
    ACME_UPGRADE_OFF,
    ACME_UPGRADE_ON,
    ACME_UPGRADES
};

/* All zero: nothing was said. */
struct acme_enhance {
    enum acme_redirect redirect;
    struct acme_hsts hsts;
    enum acme_upgrade upgrade;
};

/* A year: what Certbot says, and the end of what grows. */
#define ACME_HSTS_LONG 31536000

/* What a permanent redirect says where nothing else was said: half a year, as
 * mod_md has it. */
#define ACME_HSTS_PERMANENT 15768000

/* ---- words ------------------------------------------------------------ */

enum acme_enhance_item {
    ACME_ENHANCE_REDIRECT, /* "off", "temporary" or "permanent" */
    /* "off", "auto", or seconds (or days: "365d") with "subdomains" and
     * "preload"; the latter only as the lists of browsers take it */
    ACME_ENHANCE_HSTS,
    ACME_ENHANCE_UPGRADE /* "on" or "off" */
};

/* The words of one directive.  ACME_CONFIG: why not; nothing is changed. */
enum acme_rc acme_enhance_set(struct acme_enhance *enhance,
    enum acme_enhance_item item, const char *const *words, size_t nwords,
    struct acme_error *err);

bool acme_enhance_is_said(const struct acme_enhance *enhance,
    enum acme_enhance_item item);

/* "off", ...; "": nothing was said. */
const char *acme_redirect_word(enum acme_redirect redirect);

/* What `narrow` says nothing of is as `wide` has it. */
void acme_enhance_merge(struct acme_enhance *narrow,
    const struct acme_enhance *wide);

bool acme_enhance_equal(const struct acme_enhance *a,
    const struct acme_enhance *b);

/* As it is stored; what is malformed or absent was not said. */
struct acme_json *acme_enhance_render(const struct acme_enhance *enhance);
void acme_enhance_parse(const struct acme_json *json,
    struct acme_enhance *enhance);

/* ---- what comes of it ------------------------------------------------- */

/*
 * How long clients are told to come by https alone, by Certbot's ladder: a
 * minute at first, and every other day more, up to a day.  A year, where what
 * is served was issued (`issued`) after the last step was reached, which
 * shows that renewals work.  `since`: when that began; 0: not known, which is
 * the first step.
 */
unsigned acme_hsts_auto(time_t since, time_t issued, time_t now);

/* When that is another one; 0: with a renewal, or never. */
time_t acme_hsts_auto_next(time_t since, time_t now);

/* "max-age=31536000; includeSubDomains; preload". */
#define ACME_HSTS_TEXT 64
const char *acme_hsts_text(const struct acme_hsts *hsts, unsigned max_age,
    char text[ACME_HSTS_TEXT]);

/* Statuses of a redirect: methods other than GET and HEAD are kept. */
int acme_redirect_status(enum acme_redirect redirect, bool get);

/* Where plain requests are never sent away: challenges, of other clients
 * too. */
#define ACME_WELL_KNOWN "/.well-known/"

/*
 * The port that a redirect names: 0, none.  Who has named a port himself (0:
 * he has not) came past the public ones and is sent to where https is at here:
 * `https`, as a port map has it.
 */
unsigned acme_redirect_port(int https, unsigned named);

/* Whether a Content-Security-Policy has upgrade-insecure-requests. */
#define ACME_CSP "Content-Security-Policy"
#define ACME_CSP_UPGRADE "upgrade-insecure-requests"
bool acme_csp_upgrades(const char *policy, size_t len);

#endif
