/*
 * A whole installation in one process: state directory, key area, store,
 * keeper and engine, one or two CAs in memory, and a clock that only waits
 * move.  The frames between engine and store go over a real socket pair.
 *
 *     static void
 *     test_x(void **state)
 *     {
 *         struct fake_drive *d = *state;
 *
 *         fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
 *         fake_drive_open(d);
 *         fake_drive_run(d);
 *         assert_int_equal(fake_drive_version(d, "a.test"), 1);
 *     }
 *     cmocka_unit_test_setup_teardown(test_x, fake_drive_setup,
 *         fake_drive_teardown)
 *
 * fake_drive_close() and _open() are a restart of the service: what is not in
 * the directory is forgotten, the area and the CAs stay.  The CAs validate
 * http-01 and tls-alpn-01 by asking the area as a worker does.
 */
#ifndef FAKE_DRIVE_H
#define FAKE_DRIVE_H

#include "drive/acme_engine.h"
#include "drive/acme_keeper.h"
#include "fake_ca.h"
#include "fake_host.h"
#include "helper_tmp.h"

#define FAKE_DRIVE_OTHER "https://other.test/dir"
#define FAKE_DRIVE_RESPONDER "http://ocsp.test"

/* How an exchange with a CA is cut off. */
enum fake_cut {
    FAKE_CUT_REQUEST, /* it never reaches the CA */
    FAKE_CUT_ANSWER   /* the CA acts, its answer is lost */
};

struct fake_drive {
    struct helper_tmp tmp; /* the state directory is "state" in it */
    struct fake_host host;
    struct fake_ca *ca;    /* of issuer 0, "test" */
    struct fake_ca *other; /* of issuer 1, "other" */
    struct acme_config *config;
    struct acme_area *area;
    struct acme_store *store;
    struct acme_keeper *keeper;
    struct acme_vault *vault;
    struct acme_engine *engine;
    struct acme_error err;
    const char *instance; /* of the configuration; set it before a lineage */
    enum acme_keeper_role role; /* from the next start on */
    bool terms_accepted;
    bool renewal_info; /* the CAs are asked; false: no */
    /* Of the first CA, from the next configuration on; NULL:
     * https://ca.test. */
    const char *base;
    const struct acme_proof
        *proof;                /* of lineages added from now on, or NULL */
    struct acme_timing timing; /* of lineages that are added */
    bool fall_back;            /* lineages added from now on have both CAs */
    const char *contact;       /* of the account; NULL: none */

    long ahead[2]; /* seconds of the CAs' clocks */
    long set;      /* how far ours has been set since the beginning: host.now
                      is to be moved as well */

    /* What is at every http URL; NULL: 404.  How often it was fetched.  At
     * those that begin with FAKE_DRIVE_RESPONDER there is `ocsp`; NULL:
     * ocsp_status, 0: nobody answers. */
    const struct acme_buf *crl, *ocsp;
    unsigned fetched, asked;
    int ocsp_status;

    uint32_t random; /* what the engine draws */
    unsigned present_ms;
    const struct acme_preflight_means *preflight; /* NULL: there is none */
    const struct acme_runner_link *runner; /* the same, of single jobs */
    const struct acme_dns_servers *resolver;
    bool crashed; /* told to the engine when it plans */
    bool sweeps;  /* it does, from the next start on */

    /* Exchanges with the CAs; the cut_at-th since fake_drive_cut() and all
     * after it fail with cut_rc. */
    unsigned exchanges, cut_at;
    enum fake_cut cut;
    enum acme_rc cut_rc;

    /* Frames to the keeper; the dead_at-th and all after it fail, and no CA
     * is reached any more: the engine has died.  With dead_late the keeper
     * still answers that one, to nobody. */
    unsigned frames, dead_at;
    bool dead_late;
    bool dead;
    bool silent; /* the CAs; not who is asked over http */
    bool killed; /* the keeper called a frame bad */

    /* Answers to fake_drive_ask(). */
    unsigned ndone;
    bool done_ok;
    uint64_t done_id;
    char done_text[1024];
};

int fake_drive_setup(void **state);
/* Fails if a CA has complaints or OpenSSL's error queue is not empty. */
int fake_drive_teardown(void **state);

/* Adds to the configuration: names, and key types (NULL: ecdsa:256), with
 * spaces between.  Returns its index. */
size_t fake_drive_lineage(struct fake_drive *d, const char *name,
    size_t issuer, const char *names, const char *type);

/* Another configuration from here on (closes first). */
void fake_drive_new_config(struct fake_drive *d);

/* The service starts, and plans; it ends. */
void fake_drive_open(struct fake_drive *d);
void fake_drive_close(struct fake_drive *d);
/* Both; a cut, a death or a stop of before is over. */
void fake_drive_restart(struct fake_drive *d);

/* Runs what is due now; returns the number of jobs. */
unsigned fake_drive_run(struct fake_drive *d);

/* Goes to the time of the next job and runs what is due then. */
unsigned fake_drive_next(struct fake_drive *d);

/* fake_drive_next() until the live version is `version`; fails the test
 * after `most` jobs. */
void fake_drive_until(struct fake_drive *d, const char *name, unsigned version,
    unsigned most);

/* The next cut-off, of the n-th exchange from now (1 ...); 0: none. */
void fake_drive_cut(struct fake_drive *d, unsigned n, enum fake_cut cut,
    enum acme_rc rc);
/* The engine dies with the n-th frame from now; 0: not. */
void fake_drive_die(struct fake_drive *d, unsigned n, bool late);

/* What the engine talks through to the CA of an issuer. */
struct acme_transport fake_drive_transport(struct fake_drive *d,
    size_t issuer);

/* What its vault asks the keeper through (acme_vault_exchange; ctx is the
 * struct fake_drive). */
enum acme_rc fake_drive_exchange(void *ctx, struct acme_buf *request,
    struct acme_buf *reply, struct acme_error *err);

/* A person asks; the answer comes to done_*. */
void fake_drive_ask(struct fake_drive *d, size_t lineage, unsigned flags,
    uint64_t id);

/* ---- what came of it -------------------------------------------------- */

/* Versions on disk and in the area; 0: none. */
unsigned fake_drive_version(struct fake_drive *d, const char *name);
unsigned fake_drive_served(struct fake_drive *d, const char *name);

/* The live leaf; fails the test if there is none. */
void fake_drive_leaf(struct fake_drive *d, const char *name,
    struct acme_leaf *leaf);
/* Whether it covers that name. */
bool fake_drive_covers(struct fake_drive *d, const char *name,
    const char *covered);

void fake_drive_record(struct fake_drive *d, const char *name,
    struct acme_record *record);
void fake_drive_write_record(struct fake_drive *d, const char *name,
    const struct acme_record *record);

/* Whether an order is stored. */
bool fake_drive_has_order(struct fake_drive *d, const char *name);

/* Every file below the state directory but locks: path, kind, mode, hash of
 * the content; malloc()ed.  Two equal ones: nothing has changed. */
char *fake_drive_listing(struct fake_drive *d);

/* "state/" PATH in one of a few buffers used in turn, for helper_tmp_*. */
const char *fake_drive_path(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
