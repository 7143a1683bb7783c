/*
 * The end of an order: its signing request, its certificate with the chain
 * that was wished for, handed over to the store.
 */
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "drive/acme_job_private.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_ocsp.h"

/* The first DNS name that fits; NULL: none does. */
static const char *
common_name(const struct acme_run *run)
{
    size_t i;

    for (i = 0; i < run->nnames; i++) {
        if (!acme_name_is_ip(run->names[i]) &&
            strlen(run->names[i]) <= ACME_CN_MAX)
            return run->names[i];
    }
    return NULL;
}

enum acme_rc
acme_job_finalize(struct acme_run *run)
{
    struct acme_csr_terms terms = { .must_staple = run->now.must_staple };
    struct acme_buf csr;
    enum acme_rc rc;

    if (run->issuer->cn_in_csr)
        terms.cn = common_name(run);
    acme_buf_init(&csr, ACME_STATE_PEM_MAX);
    if (run->csr != NULL) {
        const struct acme_buf *own = acme_csr_der(run->csr);

        acme_buf_add(&csr, own->data, own->len);
        rc = acme_buf_ok(&csr) ? ACME_OK : acme_error_nomem(run->err);
    } else {
        rc = acme_csr_new(run->key, run->names, run->nnames, &terms, &csr,
            run->err);
    }
    if (rc == ACME_OK)
        acme_job_track_request(run, &csr);
    if (rc == ACME_OK)
        rc = acme_order_finalize(run->job->client, run->names, run->nnames,
            csr.data, csr.len, run->arena, &run->order, run->err);
    acme_buf_clear(&csr);
    return rc;
}

/* ---- the chain (RFC 8555 7.4.2) --------------------------------------- */

static enum acme_rc
parse_chain(const struct acme_buf *pem, struct acme_chain **chain,
    struct acme_error *err)
{
    return acme_chain_from_pem(acme_buf_str(pem), pem->len, chain, err);
}

static bool
same_leaf(const struct acme_chain *chain, const struct acme_leaf *leaf)
{
    struct acme_leaf other;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return acme_chain_leaf(chain, &other, &ignored) == ACME_OK &&
           strcmp(other.fingerprint, leaf->fingerprint) == 0;
}

/* Whether the store would take it for the same certificate: the CA's own
 * choice is not given up for anything else. */
static enum acme_rc
check_alternate(const struct acme_run *run, const struct acme_chain *chain,
    struct acme_error *err)
{
    if (!same_leaf(chain, &run->result->leaf))
        return acme_error_set(err, ACME_REFUSED,
            "it begins with another certificate");
    return acme_chain_check(chain, run->key, run->names, run->nnames,
        run->job->host->now(run->job->host->ctx), NULL, err);
}

/* ACME_NOENT: it is sound, but does not end where we want. */
static enum acme_rc
try_alternate(struct acme_run *run, const char *url, struct acme_chain **out,
    struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    rc = acme_order_download_alternate(run->job->client, url, &pem, err);
    if (rc == ACME_OK && (parse_chain(&pem, &chain, err) != ACME_OK ||
                             check_alternate(run, chain, err) != ACME_OK))
        rc = acme_error_wrap(err, "alternate chain");
    if (rc == ACME_OK &&
        !acme_chain_ends_at(chain, run->issuer->preferred_chain))
        rc = ACME_NOENT;
    acme_buf_clear(&pem);
    if (rc == ACME_OK)
        *out = chain;
    else
        acme_chain_free(chain);
    return rc;
}

/*
 * Puts the first chain that ends where it should in place of the CA's own
 * choice, which stays if there is none: a certificate with another chain is
 * better than no certificate.  What is wrong with an alternate is no reason
 * to fail either.
 */
static enum acme_rc
prefer(struct acme_run *run, const struct acme_alternates *alternates,
    struct acme_chain **chain)
{
    const struct acme_job *job = run->job;
    struct acme_chain *found = NULL;
    struct acme_error err;
    char line[ACME_LOG_LINE_MAX] = "none of those offered ends there";
    enum acme_rc rc = ACME_NOENT;
    size_t i;

    if (acme_chain_ends_at(*chain, run->issuer->preferred_chain))
        return ACME_OK;
    for (i = 0; i < alternates->n && rc != ACME_OK; i++) {
        acme_error_clear(&err);
        rc = try_alternate(run, alternates->url[i], &found, &err);
        if (rc == ACME_STOPPING || rc == ACME_NOMEM)
            return acme_error_set(run->err, rc, "%s", err.what);
        if (rc != ACME_OK && rc != ACME_NOENT)
            (void)acme_error_line(&err, line, sizeof(line));
    }
    if (rc == ACME_OK) {
        acme_chain_free(*chain);
        *chain = found;
        return ACME_OK;
    }
    acme_log(job->host, ACME_LOG_WARN,
        "not the preferred chain \"%s\", lineage \"%s\": %s",
        run->issuer->preferred_chain, run->lineage->name, line);
    return ACME_OK;
}

/* ---- what its responder says ------------------------------------------ */

static enum acme_rc
ask_responder(const struct acme_run *run, const struct acme_chain *chain,
    const char *url, struct acme_buf *staple, struct acme_error *err)
{
    const struct acme_job *job = run->job;
    struct acme_http_response response;
    struct acme_ocsp_answer ignored;
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = acme_connection_get_plain(acme_client_connection(job->client), url,
        ACME_STAPLE_MAX, ACME_OCSP_TIMEOUT_MS, &response, err);
    if (rc == ACME_OK)
        rc = acme_ocsp_read_staple(response.body.data, response.body.len,
            chain, job->host->now(job->host->ctx), &ignored, err);
    if (rc == ACME_OK)
        acme_buf_add(staple, response.body.data, response.body.len);
    acme_http_response_clear(&response);
    return rc;
}

/*
 * Clients refuse a certificate with must-staple that comes without, so it
 * does not become live before there is an answer about it; but it does after
 * some seconds, whatever the responder says or not.
 */
static void
get_staple(struct acme_run *run, const struct acme_chain *chain,
    struct acme_buf *staple)
{
    const struct acme_job *job = run->job;
    const time_t until = job->host->now(job->host->ctx) + ACME_STAPLE_WAIT;
    char responder[ACME_URL_MAX], url[ACME_URL_MAX];
    char line[ACME_LOG_LINE_MAX];
    struct acme_error err;

    acme_error_clear(&err);
    if (job->trial || !acme_chain_must_staple(chain) ||
        !acme_ocsp_url(chain, responder) ||
        acme_ocsp_question(chain, responder, url, &err) != ACME_OK)
        return;
    while (ask_responder(run, chain, url, staple, &err) != ACME_OK) {
        if (err.rc == ACME_STOPPING ||
            job->host->now(job->host->ctx) >= until ||
            !job->host->wait(job->host->ctx, ACME_STAPLE_PAUSE_MS)) {
            acme_log(job->host, ACME_LOG_WARN,
                "certificate with must-staple has no answer of its responder "
                "yet, lineage \"%s\": %s",
                run->lineage->name, acme_error_line(&err, line, sizeof(line)));
            return;
        }
        acme_error_clear(&err);
    }
}

enum acme_rc
acme_job_deliver(struct acme_run *run)
{
    const struct acme_job *job = run->job;
    bool choose = run->issuer->preferred_chain != NULL;
    struct acme_alternates alternates;
    struct acme_chain *chain = NULL;
    struct acme_buf pem, staple;
    enum acme_rc rc;

    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    acme_buf_init(&staple, ACME_STAPLE_MAX);
    rc = acme_order_download(job->client, &run->order, &pem, run->arena,
        choose ? &alternates : NULL, run->err);
    run->result->issued = rc == ACME_OK;
    if (rc == ACME_OK)
        rc = parse_chain(&pem, &chain, run->err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(chain, &run->result->leaf, run->err);
    if (rc == ACME_OK && choose)
        rc = prefer(run, &alternates, &chain);
    if (rc == ACME_OK && run->left_out->n > 0)
        rc = acme_job_remember_left_out(run, chain);
    if (rc == ACME_OK) {
        get_staple(run, chain, &staple);
        rc = acme_vault_version(job->vault, job->unit, job->issuer, run->key,
            chain, run->order.url, &staple, run->left_out,
            &run->result->version, run->err);
    }
    acme_chain_free(chain);
    acme_buf_clear(&staple);
    acme_buf_clear(&pem);
    return rc;
}
