#include "drive/acme_selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive/acme_preflight_dns.h"

/* The names of one lineage. */
struct errand {
    const struct acme_crew_conf *conf;
    const struct acme_selftest_name *list;
    size_t n;
    const char **names;
    struct acme_preflight_row *row;
    size_t unit; /* whose order a token is shown for */
    const struct acme_enroll *account;
    bool shown;
};

/* ---- answers as text -------------------------------------------------- */

/* Of a check's text in an answer: four of them fit into one. */
#define SHOWN 220

void
acme_selftest_render(const struct acme_preflight_row *row, char *text,
    size_t size)
{
    size_t i, len = 0;

    len +=
        (size_t)snprintf(text, size, "%d\t%d", row->provable, (int)row->type);
    for (i = 0; i < ACME_CHECKS && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "\t%d\t%.*s",
            (int)row->check[i].verdict, SHOWN, row->check[i].text);
}

/* The next number, and the tab behind it. */
static bool
take_number(const char **at, int most, int *number)
{
    char *end;
    long value = strtol(*at, &end, 10);

    if (end == *at || value < 0 || value > most ||
        (*end != '\t' && *end != '\0'))
        return false;
    *at = *end == '\t' ? end + 1 : end;
    *number = (int)value;
    return true;
}

bool
acme_selftest_parse(const char *text, struct acme_preflight_row *row)
{
    int number;
    size_t i, len;

    if (!take_number(&text, 1, &number))
        return false;
    row->provable = number != 0;
    if (!take_number(&text, ACME_CHALLENGE_TYPES - 1, &number))
        return false;
    row->type = (enum acme_challenge_type)number;
    for (i = 0; i < ACME_CHECKS; i++) {
        if (!take_number(&text, ACME_VERDICT_BAD, &number))
            return false;
        row->check[i].verdict = (enum acme_verdict)number;
        len = strcspn(text, "\t");
        (void)snprintf(row->check[i].text, sizeof(row->check[i].text), "%.*s",
            (int)len, text);
        text += text[len] == '\t' ? len + 1 : len;
    }
    return true;
}

/* ---- looking ---------------------------------------------------------- */

static const struct acme_lineage *
lineage_of(const struct errand *errand)
{
    return &errand->conf->config->lineage[errand->list[0].lineage];
}

/* An order that is in flight has tokens of its own, which stay; so does one
 * that somebody is making. */
static bool
may_show(struct errand *errand, struct acme_error *err)
{
    struct acme_vault *vault = errand->conf->vault;
    struct acme_vault_unit view;
    bool may = false;

    if (acme_vault_lock(vault, errand->unit, err) != ACME_OK)
        return false;
    if (acme_vault_unit(vault, errand->unit, &view, err) == ACME_OK) {
        may = !view.order;
        acme_vault_unit_clear(&view);
    }
    if (!may)
        acme_vault_unlock(vault, errand->unit);
    return may;
}

static enum acme_rc
show(void *ctx, const struct acme_area_token *tokens, size_t n, bool *shown,
    struct acme_error *err)
{
    struct errand *errand = ctx;
    const struct acme_host *host = errand->account->host;
    struct acme_error ignored;
    bool others;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (!may_show(errand, &ignored))
        return ACME_OK; /* what was seen counts */
    errand->shown = *shown = true;
    rc = acme_vault_challenges(errand->conf->vault, errand->unit,
        errand->account->index, tokens, n, &others, err);
    if (rc == ACME_OK && !host->wait(host->ctx, errand->conf->present_ms))
        rc = acme_error_set(err, ACME_STOPPING, "stopped");
    return rc;
}

static void
take_back(struct errand *errand)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (!errand->shown)
        return;
    (void)acme_vault_order_drop(errand->conf->vault, errand->unit, &ignored);
    acme_vault_unlock(errand->conf->vault, errand->unit);
}

/* A CA that does not answer is no reason to know nothing. */
static void
ask_directory(struct acme_client *client, struct acme_preflight_case *what,
    const struct acme_issuer *issuer, const char **identity)
{
    struct acme_connection *connection = acme_client_connection(client);
    const struct acme_directory *directory;
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    what->identity = identity;
    if (acme_connection_directory(connection, &directory, &ignored) == ACME_OK)
        for (i = 0; i < directory->ncaa; i++) {
            identity[what->nidentities] =
                acme_arena_strdup(what->arena, directory->caa[i]);
            what->nidentities += identity[what->nidentities] != NULL;
        }
    if (what->nidentities == 0 && acme_issuer_domain(issuer) != NULL)
        identity[what->nidentities++] = acme_issuer_domain(issuer);
    what->private_too = acme_connection_is_private(connection);
}

static enum acme_rc
take_account(struct errand *errand, char thumbprint[ACME_THUMBPRINT_LEN + 1],
    char url[ACME_URL_MAX], struct acme_preflight_case *what)
{
    struct acme_key *key = NULL;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_vault_account(errand->conf->vault, errand->account->index, &key,
            url, &ignored) == ACME_OK &&
        acme_key_thumbprint(key, thumbprint, &ignored) == ACME_OK)
        what->thumbprint = thumbprint;
    if (what->thumbprint != NULL && url[0] != '\0')
        what->account = url;
    acme_key_unref(key);
    return ignored.rc == ACME_NOENT ? ACME_OK : ignored.rc;
}

static enum acme_rc
look(const struct acme_enroll *account, void *ctx, struct acme_error *err)
{
    struct errand *errand = ctx;
    const struct acme_crew_conf *conf = errand->conf;
    const char *identity[ACME_CAA_IDENTITIES_MAX + 1];
    char thumbprint[ACME_THUMBPRINT_LEN + 1], url[ACME_URL_MAX] = "";
    struct acme_preflight_means means = *conf->preflight;
    struct acme_preflight_dns dns;
    struct acme_preflight_case what = { .config = conf->config,
        .proof = lineage_of(errand)->proof,
        .host = account->host,
        .means = &means,
        .arena = acme_arena_new(),
        .present = show,
        .ctx = errand };
    enum acme_rc rc;

    if (what.arena == NULL)
        return acme_error_nomem(err);
    errand->account = account;
    if (means.lookup == NULL && conf->resolver != NULL) {
        acme_preflight_dns_init(&dns, what.proof, conf->resolver,
            account->host);
        means.lookup = &dns.lookup;
    }
    ask_directory(account->client, &what, account->issuer, identity);
    rc = take_account(errand, thumbprint, url, &what);
    if (rc != ACME_OK)
        (void)acme_error_set(err, rc, "the account cannot be read");
    else
        rc = acme_preflight_run(&what, errand->names, errand->n, errand->row,
            err);
    take_back(errand);
    acme_arena_free(what.arena);
    return rc;
}

static enum acme_rc
tell(const struct errand *errand, size_t first, const struct acme_error *how,
    struct acme_error *err)
{
    char text[ACME_LOG_LINE_MAX];
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < errand->n && rc == ACME_OK; i++) {
        if (how->rc == ACME_OK)
            acme_selftest_render(&errand->row[i], text, sizeof(text));
        else
            (void)acme_error_line(how, text, sizeof(text));
        rc = acme_vault_done(errand->conf->vault, first + i + 1,
            how->rc == ACME_OK, text, err);
    }
    return rc;
}

static size_t
first_unit(const struct acme_lineage *lineage, size_t number)
{
    size_t i;

    for (i = 0; i + 1 < ACME_ALGORITHMS; i++)
        if (acme_lineage_type(lineage, i) != ACME_KEY_NONE)
            break;
    return acme_unit(number, i);
}

static enum acme_rc
look_at_lineage(struct acme_crew *crew, struct errand *errand, size_t first,
    struct acme_error *err)
{
    struct acme_crew_ended ended;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&ended.err);
    errand->unit = first_unit(lineage_of(errand), errand->list[0].lineage);
    errand->names = calloc(errand->n + 1, sizeof(*errand->names));
    errand->row = calloc(errand->n + 1, sizeof(*errand->row));
    for (i = 0; errand->names != NULL && i < errand->n; i++)
        errand->names[i] = errand->list[i].name;
    if (errand->names == NULL || errand->row == NULL)
        (void)acme_error_nomem(&ended.err);
    else if (!acme_crew_start_errand(crew, lineage_of(errand)->issuer, look,
                 errand) ||
             !acme_crew_take(crew, &ended))
        (void)acme_error_set(&ended.err, ACME_IO, "cannot start");
    rc = tell(errand, first, &ended.err, err);
    free(errand->names);
    free(errand->row);
    return rc;
}

enum acme_rc
acme_selftest_run(const struct acme_crew_conf *conf,
    const struct acme_selftest_work *work, struct acme_error *err)
{
    struct acme_crew *crew = NULL;
    struct errand errand;
    enum acme_rc rc = acme_crew_new(conf, &crew, err);
    size_t i, n;

    for (i = 0; i < work->n && rc == ACME_OK; i += n) {
        for (n = 1; i + n < work->n &&
                    work->list[i + n].lineage == work->list[i].lineage;)
            n++;
        memset(&errand, 0, sizeof(errand));
        errand.conf = conf;
        errand.list = &work->list[i];
        errand.n = n;
        rc = look_at_lineage(crew, &errand, i, err);
    }
    acme_crew_free(crew);
    return rc;
}
