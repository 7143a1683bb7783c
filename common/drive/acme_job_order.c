/*
 * The order of a job: made or taken over, and remembered.
 */
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_text.h"
#include "drive/acme_job_private.h"

/* With its key, if it is new. */
enum acme_rc
acme_job_save_memo(struct acme_run *run, bool is_new, struct acme_error *err)
{
    const struct acme_job *job = run->job;
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_json_render(run->memo, true, &text, err);
    if (rc == ACME_OK && is_new)
        rc = acme_vault_order_put(job->vault, job->unit, &text, run->key, err);
    else if (rc == ACME_OK)
        rc = acme_vault_order_note(job->vault, job->unit, &text, err);
    if (rc == ACME_OK)
        run->memo_changed = false;
    acme_buf_clear(&text);
    return rc;
}

static struct acme_json *
names_json(const struct acme_run *run)
{
    struct acme_json *names = acme_json_array();
    size_t i;

    for (i = 0; i < run->nnames; i++)
        acme_json_append_str(names, run->names[i]);
    return names;
}

static bool
memo_fits(const struct acme_run *run, const struct acme_json *memo)
{
    const struct acme_json *names = acme_json_get(memo, "names");
    const char *issuer = acme_json_str(memo, "issuer");
    const char *account = acme_json_str(memo, "account");
    size_t i;

    if (!acme_text_same(acme_json_str(memo, "profile"),
            run->issuer->profile) ||
        issuer == NULL || strcmp(issuer, run->issuer->directory) != 0 ||
        account == NULL ||
        strcmp(account, acme_client_account(run->job->client)) != 0 ||
        acme_json_str(memo, "url") == NULL ||
        acme_json_count(names) != run->nnames ||
        run->nnames + run->left_out->n != run->now.nnames)
        return false;
    for (i = 0; i < run->nnames; i++) {
        const char *name = acme_json_text(acme_json_at(names, i));

        if (name == NULL || strcmp(name, run->names[i]) != 0)
            return false;
    }
    return true;
}

enum acme_rc
acme_job_drop_order(struct acme_run *run, struct acme_error *err)
{
    acme_job_dns_clean(run, true);
    acme_json_free(run->memo);
    run->memo = NULL;
    acme_key_unref(run->key);
    run->key = NULL;
    return acme_vault_order_drop(run->job->vault, run->job->unit, err);
}

/* An order of before may be for less than all names. */
static enum acme_rc
take_left_out(struct acme_run *run)
{
    acme_left_out_parse(acme_json_get(run->memo, "left_out"), run->left_out);
    run->again = run->left_out->n > 0;
    return acme_job_choose_names(run);
}

/* As it is today: for each order it is read again. */
static enum acme_rc
read_csr(struct acme_run *run)
{
    acme_csr_free(run->csr);
    run->csr = NULL;
    acme_key_unref(run->key);
    run->key = NULL;
    if (acme_vault_csr(run->job->vault, run->job->unit, &run->csr, run->err) ==
        ACME_OK)
        run->key = acme_key_ref(acme_csr_key(run->csr));
    return run->err->rc;
}

/* An order that was finalized with another request's key ends in another
 * certificate. */
static bool
key_fits(const struct acme_run *run)
{
    const char *had = acme_json_str(run->memo, "csr_key");
    char id[ACME_KEY_ID_LEN + 1];
    struct acme_error ignored;

    if (run->key == NULL || acme_key_type_of(run->key) != run->now.type)
        return false;
    if (run->csr == NULL)
        return had == NULL;
    acme_error_clear(&ignored);
    return had != NULL && acme_key_id(run->key, id, &ignored) == ACME_OK &&
           strcmp(id, had) == 0;
}

static enum acme_rc
read_memo(struct acme_run *run)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_vault_order(run->job->vault, run->job->unit, &text, &run->key,
        run->err);
    if (rc == ACME_OK)
        rc = acme_json_parse(acme_buf_str(&text), text.len, "order.json",
            &run->memo, run->err);
    acme_buf_clear(&text);
    if (rc == ACME_OK && run->now.allow_subset)
        rc = take_left_out(run);
    return rc;
}

/* Whether the order may still lead somewhere after this failure. */
bool
acme_job_order_survives(const struct acme_error *err)
{
    switch (err->rc) {
    case ACME_LATER:
    case ACME_STOPPING:
    case ACME_NET:
    case ACME_NOMEM:
    case ACME_CRYPTO: /* memory again: OpenSSL does not always call it that */
    case ACME_IO:
        return true;
    case ACME_PROBLEM:
        return err->http_status == 429 || err->http_status >= 500;
    default:
        return false;
    }
}

/* RFC 8555 7.1.3: after `expires` it is as good as invalid, also where the CA
 * does not say so. */
static bool
is_too_old(const struct acme_run *run)
{
    const time_t now = run->job->host->now(run->job->host->ctx);
    const time_t created = (time_t)acme_json_time(run->memo, "created");

    return (run->order.expires != 0 && run->order.expires <= now) ||
           (created != 0 && now - created >= ACME_ORDER_AGE_MAX);
}

/*
 * What became of the order: it can be gone on with (ACME_OK), must be made
 * anew (ACME_NOENT), or the CA has worked on it to its end without a result:
 * that is a failure, and the schedule's.  A certificate that is there can be
 * had whatever the date.
 */
static enum acme_rc
judge_order(const struct acme_run *run)
{
    enum acme_status status = run->order.status;

    if (status == ACME_STATUS_INVALID)
        return ACME_NOENT;
    if (status == ACME_STATUS_VALID || !is_too_old(run))
        return ACME_OK;
    if (status != ACME_STATUS_PROCESSING)
        return ACME_NOENT;
    return acme_error_set(run->err, ACME_WIRE,
        "order: still in processing when it expired");
}

/*
 * The order of an earlier run, if the CA still has it and it is for what we
 * want today.  ACME_NOENT: there is none to go on with.
 */
static enum acme_rc
resume(struct acme_run *run)
{
    const char *url;
    enum acme_rc rc = read_memo(run);

    if (rc == ACME_NOENT || rc == ACME_NOMEM)
        return rc; /* anything else is damage */
    if (rc == ACME_OK && run->now.csr) {
        rc = read_csr(run);
        if (rc != ACME_OK)
            return rc; /* it is not for us to go on, nor to begin anew */
    }
    if (rc == ACME_OK && memo_fits(run, run->memo) && key_fits(run)) {
        url = acme_json_str(run->memo, "url");
        rc = acme_order_get(run->job->client, url, run->names, run->nnames,
            run->arena, &run->order, run->err);
        if (rc == ACME_OK) {
            rc = judge_order(run);
            if (rc == ACME_OK)
                acme_log(run->job->host, ACME_LOG_INFO,
                    "order resumed, lineage \"%s\"", run->lineage->name);
            if (rc != ACME_NOENT)
                return rc;
        } else if (acme_job_order_survives(run->err)) {
            return rc;
        }
    }
    acme_error_clear(run->err);
    run->left_out->n = 0;
    run->again = false;
    rc = acme_job_choose_names(run);
    if (rc == ACME_OK)
        rc = acme_job_drop_order(run, run->err);
    /* An order that could not be stored must not be made. */
    return rc == ACME_OK ? ACME_NOENT : rc;
}

/* ---- a new order ------------------------------------------------------ */

/* The profile that was configured, if the CA has it; without it goes only
 * what may. */
static enum acme_rc
choose_profile(struct acme_run *run, struct acme_order_terms *terms)
{
    struct acme_connection *connection =
        acme_client_connection(run->job->client);
    const struct acme_directory *directory;
    char offered[256];
    enum acme_rc rc;

    if (run->issuer->profile == NULL)
        return ACME_OK;
    rc = acme_connection_directory(connection, &directory, run->err);
    if (rc != ACME_OK)
        return rc;
    if (acme_directory_offers(directory, run->issuer->profile)) {
        terms->profile = run->issuer->profile;
        return ACME_OK;
    }
    (void)acme_directory_profiles(directory, offered, sizeof(offered));
    if (run->issuer->profile_required)
        return acme_error_set(run->err, ACME_CONFIG,
            "the CA does not offer the required profile \"%s\", but: %s; "
            "configure one of these, or do not require it",
            run->issuer->profile, offered);
    acme_log(run->job->host, ACME_LOG_WARN,
        "ordered without profile \"%s\", which the CA does not offer, "
        "lineage \"%s\"; it offers: %s",
        run->issuer->profile, run->lineage->name, offered);
    return ACME_OK;
}

/* A CA may offer what it then refuses (draft-ietf-acme-profiles 5): to this
 * account, or today. */
static bool
may_go_without(const struct acme_run *run,
    const struct acme_order_terms *terms)
{
    return run->err->rc == ACME_PROBLEM && terms->profile != NULL &&
           !run->issuer->profile_required &&
           strcmp(run->err->type, "invalidProfile") == 0;
}

/* One that is in trouble otherwise may be so for the same reason: every other
 * attempt goes without. */
static bool
has_stumbled(const struct acme_record *record)
{
    return record->failures % 2 == 1 && record->error.rc == ACME_PROBLEM &&
           strcmp(record->error.type, "serverInternal") == 0;
}

/* RFC 9773 5: what is replaced must be this CA's, which wants to know; it
 * spares us most of Let's Encrypt's limits.  A trial replaces nothing. */
static enum acme_rc
choose_replaces(struct acme_run *run, struct acme_leaf *leaf,
    struct acme_order_terms *terms)
{
    const struct acme_config *config = run->job->config;
    const struct acme_vault_unit *now = &run->now;
    const struct acme_directory *directory;
    enum acme_rc rc;

    if (run->job->trial || !run->issuer->renewal_info || now->leaf == NULL ||
        !now->issued_by_known || now->issued_by >= config->nissuers ||
        strcmp(config->issuer[now->issued_by].directory,
            run->issuer->directory) != 0 ||
        has_stumbled(&now->record))
        return ACME_OK;
    rc = acme_connection_directory(acme_client_connection(run->job->client),
        &directory, run->err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(now->leaf, leaf, run->err);
    if (rc == ACME_OK && directory->renewal_info[0] != '\0' &&
        leaf->ari_id[0] != '\0')
        terms->replaces = leaf->ari_id;
    return rc;
}

/* What it replaces may have been replaced by an order that we know nothing of
 * any more, be another account's, or unknown to a CA that has begun anew, or
 * that stumbles over what it does not find: that is no reason to be without a
 * certificate. */
static bool
may_replace_nothing(const struct acme_run *run,
    const struct acme_order_terms *terms)
{
    static const char *const types[] = { "alreadyReplaced", "malformed",
        "unauthorized" };
    bool refused = false;
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        refused = refused || strcmp(run->err->type, types[i]) == 0;
    if (run->err->http_status == 500 &&
        strcmp(run->err->type, "serverInternal") == 0)
        refused = true;
    return refused && run->err->rc == ACME_PROBLEM && terms->replaces != NULL;
}

/* Whether the refused order is worth another try: with less in it. */
static bool
ask_for_less(struct acme_run *run, struct acme_order_terms *terms)
{
    char line[ACME_LOG_LINE_MAX];

    (void)acme_error_line(run->err, line, sizeof(line));
    if (may_go_without(run, terms)) {
        acme_log(run->job->host, ACME_LOG_WARN,
            "ordered without profile \"%s\", lineage \"%s\": %s",
            terms->profile, run->lineage->name, line);
        terms->profile = NULL;
    } else if (may_replace_nothing(run, terms)) {
        acme_log(run->job->host, ACME_LOG_INFO,
            "ordered as if it replaced nothing, lineage \"%s\": %s",
            run->lineage->name, line);
        terms->replaces = NULL;
    } else {
        return false;
    }
    acme_error_clear(run->err);
    return true;
}

static enum acme_rc
check_profile(struct acme_run *run, const struct acme_order_terms *terms)
{
    const char *answered = run->order.profile;

    if (terms->profile == NULL || answered == NULL ||
        strcmp(answered, terms->profile) == 0)
        return ACME_OK;
    if (run->issuer->profile_required)
        return acme_error_set(run->err, ACME_WIRE,
            "the CA made an order of profile \"%s\" where \"%s\" was asked "
            "for",
            answered, terms->profile);
    acme_log(run->job->host, ACME_LOG_WARN,
        "the CA chose profile \"%s\" instead of \"%s\", lineage \"%s\"",
        answered, terms->profile, run->lineage->name);
    return ACME_OK;
}

/* Once, also where the attempt makes another one for less. */
static void
tell_begin(struct acme_run *run)
{
    struct acme_event event;

    if (run->told)
        return;
    run->told = true;
    acme_event_init(&event, ACME_EVENT_RENEWING);
    acme_event_put(event.text, run->now.leaf == NULL
                                   ? "a certificate is ordered"
                                   : "the certificate is being renewed");
    acme_vault_event(run->job->vault, run->job->unit, run->job->issuer,
        &event);
}

static enum acme_rc
ask_for_order(struct acme_run *run)
{
    struct acme_order_terms terms = { 0 };
    struct acme_leaf leaf;
    enum acme_rc rc = choose_profile(run, &terms);

    if (rc == ACME_OK)
        rc = choose_replaces(run, &leaf, &terms);
    if (rc != ACME_OK)
        return rc;
    tell_begin(run);
    do {
        rc = acme_order_new(run->job->client, run->names, run->nnames, &terms,
            run->arena, &run->order, run->err);
    } while (rc != ACME_OK && ask_for_less(run, &terms));
    run->result->replaces = rc == ACME_OK && terms.replaces != NULL;
    return rc == ACME_OK ? check_profile(run, &terms) : rc;
}

/* A new one, the operator's, or that of the live certificate where it is to
 * stay. */
static enum acme_rc
obtain_key(struct acme_run *run)
{
    enum acme_rc rc = ACME_NOENT;

    if (run->now.csr)
        return read_csr(run);
    if (run->now.reuse_key && run->now.leaf != NULL && !run->now.revoked)
        rc = acme_vault_live_key(run->job->vault, run->job->unit, &run->key,
            run->err);
    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(run->err);
    return acme_key_generate(run->now.type, &run->key, run->err);
}

static enum acme_rc
ask_to_prove_all(struct acme_run *run)
{
    bool again = false;
    enum acme_rc rc = ask_for_order(run);

    if (rc == ACME_OK && run->job->trial)
        rc = acme_job_unprove(run, &again);
    return rc == ACME_OK && again ? ask_for_order(run) : rc;
}

/*
 * The key is made before the order, so that the order's URL reaches the disk
 * at once when the CA has answered.
 */
static enum acme_rc
new_order(struct acme_run *run)
{
    char id[ACME_KEY_ID_LEN + 1];
    enum acme_rc rc;

    rc = acme_job_preflight(run);
    if (rc == ACME_OK)
        rc = obtain_key(run);
    if (rc == ACME_OK)
        rc = ask_to_prove_all(run);
    if (rc != ACME_OK)
        return rc;
    run->result->ordered = true;
    run->memo = acme_json_object();
    acme_json_set_str(run->memo, "url", run->order.url);
    acme_json_set_str(run->memo, "issuer", run->issuer->directory);
    acme_json_set_str(run->memo, "account",
        acme_client_account(run->job->client));
    acme_json_set_str(run->memo, "profile", run->issuer->profile);
    acme_json_set_time(run->memo, "created",
        run->job->host->now(run->job->host->ctx));
    acme_json_set(run->memo, "names", names_json(run));
    if (run->csr != NULL && acme_key_id(run->key, id, run->err) != ACME_OK)
        return run->err->rc;
    if (run->csr != NULL)
        acme_json_set_str(run->memo, "csr_key", id);
    if (run->left_out->n > 0)
        acme_json_set(run->memo, "left_out",
            acme_left_out_render(run->left_out));
    acme_json_set(run->memo, "answered", acme_json_array());
    return acme_job_save_memo(run, true, run->err);
}

enum acme_rc
acme_job_obtain_order(struct acme_run *run)
{
    enum acme_rc rc = resume(run);

    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(run->err);
    return new_order(run);
}
