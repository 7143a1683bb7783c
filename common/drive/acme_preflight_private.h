/*
 * What the files behind acme_preflight.h share: findings, the DNS and the
 * whole (acme_preflight.c), servers here and elsewhere, whatever they are
 * asked (acme_preflight_servers.c), and how each kind of challenge is asked
 * for (acme_preflight_ways.c).
 */
#ifndef ACME_PREFLIGHT_PRIVATE_H
#define ACME_PREFLIGHT_PRIVATE_H

#include "drive/acme_preflight.h"

#define ACME_FLIGHT_TOKEN_LEN 32

struct acme_known;

struct acme_flight {
    const struct acme_preflight_case *what;
    struct acme_preflight_row *row;
    size_t n;
    struct acme_addresses *addresses; /* of each row */
    struct acme_known *known;         /* CAA */
    bool silent; /* no resolver answers: none is asked any more */
    char token[ACME_FLIGHT_TOKEN_LEN + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1]; /* the right one; or "" */
};

/* The worst that is found stays. */
void acme_flight_find(struct acme_preflight_row *row, enum acme_check check,
    enum acme_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- acme_preflight_servers.c ----------------------------------------- */

/* Fills the checks BINDING and REACH.  Errors are those of
 * acme_preflight_run(). */
enum acme_rc acme_flight_servers(struct acme_flight *flight,
    struct acme_error *err);

/* ---- acme_preflight_ways.c -------------------------------------------- */

/* A question to one address, about the name of one row. */
struct acme_asked {
    struct acme_preflight_row *row;
    char address[ACME_ADDRESS_TEXT];
    unsigned port;
    /* what came of it; it is wrong in all other cases: */
    enum acme_asked_end {
        ACME_ASKED_RIGHT,
        ACME_ASKED_WRONG,  /* the CA would get the same */
        ACME_ASKED_OTHERS, /* the same, but it is one of another account */
        ACME_ASKED_LEADS,  /* the CA would go elsewhere from there */
        ACME_ASKED_BUSY,   /* it answers another order */
        ACME_ASKED_FAILED, /* it is not to be asked from here */
        ACME_ASKED_SILENT
    } end;
    char text[144]; /* what follows "192.0.2.7, which"; printable */
};

/* How a challenge is asked for. */
struct acme_way {
    enum acme_challenge_type type;
    bool tls;
    unsigned port; /* the public one */
    /* Whether it is answered for orders alone, everywhere. */
    bool orders_alone;
    const char *elsewhere; /* what an answer that is wrong may come from */
    enum acme_rc (*ask)(const struct acme_flight *flight,
        struct acme_asked *asked, size_t n, struct acme_error *err);
};

extern const struct acme_way acme_way_http, acme_way_tls;

#endif
