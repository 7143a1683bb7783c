#include "drive/acme_job_dns.h"

#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "state/acme_dns_owner.h"
#include "wrap/acme_hash.h"

/* ---- which there are -------------------------------------------------- */

/* How the lineage's DNS is changed, or a CA is answered at a name; NULL: not
 * at all. */
static const struct acme_dns_means *
means_of(const struct acme_run *run, enum acme_challenge_type type)
{
    const struct acme_proof *proof = run->lineage->proof;

    if (!acme_challenge_is_dns(type))
        return proof->answer.by == ACME_ANSWERER_STANDALONE
                   ? &acme_job_standalone
                   : &acme_job_command;
    if (proof->command.kind != ACME_COMMAND_NONE ||
        acme_proof_is_by_hand(proof))
        return &acme_job_command;
    return proof->dns_server != NULL ? &acme_job_update_means : NULL;
}

bool
acme_job_is_made(const struct acme_run *run, enum acme_challenge_type type)
{
    return acme_proof_is_made(run->lineage->proof, type) &&
           (acme_challenge_is_dns(type) || run->job->standalone != NULL ||
               run->lineage->proof->answer.by != ACME_ANSWERER_STANDALONE);
}

static enum acme_rc
owner_of(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    char owner[ACME_NAME_MAX + 1];
    enum acme_rc rc;

    record->owner = record->name;
    if (!acme_challenge_is_dns(record->type))
        return ACME_OK;
    rc = acme_dns_owner(record->type, record->name,
        acme_client_account(run->job->client), owner, err);
    if (rc != ACME_OK)
        return rc;
    record->owner = acme_arena_strdup(run->arena, owner);
    return record->owner != NULL ? ACME_OK : acme_error_nomem(err);
}

/* RFC 8555 8.1, 8.4: of the token and the account's key. */
static enum acme_rc
prove_token(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    unsigned char digest[ACME_HASH_LEN];
    struct acme_buf value;
    enum acme_rc rc;

    rc = acme_key_thumbprint(acme_client_key(run->job->client), thumbprint,
        err);
    if (rc != ACME_OK)
        return rc;
    record->key_authorization =
        acme_arena_printf(run->arena, "%s.%s", record->token, thumbprint);
    if (record->key_authorization == NULL)
        return acme_error_nomem(err);
    if (!acme_challenge_is_dns(record->type)) {
        record->value = acme_arena_strdup(run->arena, thumbprint);
        return record->value != NULL ? ACME_OK : acme_error_nomem(err);
    }
    rc = acme_hash(record->key_authorization,
        strlen(record->key_authorization), digest, err);
    if (rc != ACME_OK)
        return rc;
    acme_buf_init(&value, ACME_THUMBPRINT_LEN);
    acme_base64_encode(&value, digest, sizeof(digest));
    record->value = acme_arena_strdup(run->arena, acme_buf_str(&value));
    if (!acme_buf_ok(&value) || record->value == NULL)
        rc = acme_error_nomem(err);
    acme_buf_clear(&value);
    return rc;
}

static enum acme_rc
new_record(struct acme_run *run, const struct acme_proved *proved,
    struct acme_dns_record *record)
{
    memset(record, 0, sizeof(*record));
    record->type = proved->type;
    record->name = proved->authz->name;
    record->token = proved->challenge->token;
    record->output = "";
    if (owner_of(run, record, run->err) != ACME_OK)
        return run->err->rc;
    return prove_token(run, record, run->err);
}

/* ---- what is written down --------------------------------------------- */

/* Whatever bytes a program has written. */
static void
set_output(struct acme_json *json, const char *output)
{
    struct acme_buf text;

    acme_buf_init(&text, 2 * ACME_COMMAND_OUTPUT_MAX);
    acme_base64_encode(&text, output, strlen(output));
    acme_json_set_str(json, "output", acme_buf_str(&text));
    acme_buf_clear(&text);
}

/* NULL: out of memory; what is damaged is as good as nothing. */
static const char *
get_output(struct acme_run *run, const struct acme_json *json)
{
    const char *text = acme_json_str(json, "output");
    struct acme_error ignored;
    struct acme_buf output;
    const char *copy;

    acme_error_clear(&ignored);
    acme_buf_init(&output, ACME_COMMAND_OUTPUT_MAX);
    if (text == NULL ||
        acme_base64_decode(&output, text, strlen(text), &ignored) != ACME_OK)
        acme_buf_reset(&output);
    copy = acme_arena_strdup(run->arena, acme_buf_str(&output));
    acme_buf_clear(&output);
    return copy;
}

static struct acme_json *
render(const struct acme_dns_record *record)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "type", acme_challenge_name(record->type));
    acme_json_set_str(json, "name", record->name);
    acme_json_set_str(json, "owner", record->owner);
    acme_json_set_str(json, "token", record->token);
    set_output(json, record->output);
    acme_json_set_bool(json, "made", record->made);
    return json;
}

/* False: it is damaged, or memory is short; there is nothing to be done. */
static bool
parse(struct acme_run *run, const struct acme_json *json,
    struct acme_dns_record *record, struct acme_error *err)
{
    const char *type = acme_json_str(json, "type");

    memset(record, 0, sizeof(*record));
    record->name = acme_json_str(json, "name");
    record->owner = acme_json_str(json, "owner");
    record->token = acme_json_str(json, "token");
    record->made = acme_json_bool(json, "made", false);
    if (type == NULL || !acme_challenge_find(type, &record->type) ||
        record->name == NULL || record->owner == NULL || record->token == NULL)
        return false;
    record->name = acme_arena_strdup(run->arena, record->name);
    record->owner = acme_arena_strdup(run->arena, record->owner);
    record->token = acme_arena_strdup(run->arena, record->token);
    record->output = get_output(run, json);
    return record->name != NULL && record->owner != NULL &&
           record->token != NULL && record->output != NULL &&
           prove_token(run, record, err) == ACME_OK;
}

static bool
is_same(const struct acme_dns_record *a, const struct acme_dns_record *b)
{
    return strcmp(a->owner, b->owner) == 0 && strcmp(a->token, b->token) == 0;
}

/*
 * What is written down joins those that are pending, of which there are n:
 * what they gave back, and whether they were made, or, behind them, that they
 * are to be taken away one day.  Returns how many there are then.
 */
static size_t
recall(struct acme_run *run, struct acme_dns_record *record, size_t n)
{
    const struct acme_json *list = acme_json_get(run->memo, "records");
    struct acme_dns_record before;
    struct acme_error ignored;
    size_t i, k, total = n;

    for (i = 0; i < acme_json_count(list); i++) {
        acme_error_clear(&ignored);
        if (!parse(run, acme_json_at(list, i), &before, &ignored))
            continue;
        for (k = 0; k < n && !is_same(&record[k], &before);)
            k++;
        if (k == n)
            k = total++;
        before.known = true;
        record[k] = before;
    }
    return total;
}

/* What one of them may want to know of the others. */
static enum acme_rc
number(struct acme_run *run, struct acme_dns_record *record, size_t n,
    struct acme_error *err)
{
    struct acme_buf all;
    const char *text;
    size_t i;

    acme_buf_init(&all, ACME_NAMES_MAX * (ACME_NAME_MAX + 1));
    for (i = 0; i < n; i++)
        acme_buf_addf(&all, "%s%s", i > 0 ? "," : "", record[i].name);
    text = acme_buf_ok(&all)
               ? acme_arena_strdup(run->arena, acme_buf_str(&all))
               : NULL;
    acme_buf_clear(&all);
    for (i = 0; i < n; i++) {
        record[i].remaining = n - 1 - i;
        record[i].all = text;
    }
    return text != NULL ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
write_down(struct acme_run *run, const struct acme_dns_record *record,
    size_t n)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < n; i++)
        if (!record[i].refused)
            acme_json_append(list, render(&record[i]));
    acme_json_set(run->memo, "records", list);
    return acme_job_save_memo(run, false, run->err);
}

/* ---- making and taking away ------------------------------------------- */

/* All that is kept must fit into the order's file. */
static enum acme_rc
weigh(const struct acme_dns_record *record, size_t n, struct acme_error *err)
{
    size_t i, size = 0;

    for (i = 0; i < n; i++)
        size += strlen(record[i].output);
    if (size <= ACME_COMMAND_OUTPUTS_MAX)
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "the programs for one order wrote more than %zu bytes together",
        ACME_COMMAND_OUTPUTS_MAX);
}

/* ACME_OK also if it is declined. */
static enum acme_rc
make_one(struct acme_run *run, struct acme_dns_record *record)
{
    const struct acme_dns_means *means = means_of(run, record->type);
    enum acme_rc rc;

    if (means == NULL)
        return acme_error_set(run->err, ACME_CONFIG,
            "nothing is configured that changes the DNS");
    rc = means->add(run, record, run->err);
    record->made = rc == ACME_OK;
    if (rc == ACME_OK)
        return rc;
    (void)acme_error_wrap(run->err, "%s of \"%s\"",
        acme_challenge_name(record->type), record->name);
    if (!record->declined)
        return rc;
    record->why = acme_arena_strdup(run->arena, run->err->what);
    acme_error_clear(run->err);
    return record->why != NULL ? ACME_OK : acme_error_nomem(run->err);
}

/* All are asked for, also after one that is declined. */
static enum acme_rc
make(struct acme_run *run, struct acme_dns_record *record, size_t n)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < n; i++) {
        if (record[i].made)
            continue;
        /* One that is not begun any more need not be taken away. */
        record[i].refused = rc != ACME_OK && !record[i].known;
        if (rc != ACME_OK)
            continue;
        rc = make_one(run, &record[i]);
        if (rc == ACME_OK && weigh(record, n, run->err) != ACME_OK)
            rc = acme_error_wrap(run->err, "%s of \"%s\"",
                acme_challenge_name(record[i].type), record[i].name);
    }
    return rc;
}

static bool
is_any_declined(const struct acme_dns_record *record, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (record[i].declined)
            return true;
    return false;
}

/* Name servers have records, and the rest is where it is found already. */
static enum acme_rc
propagate(struct acme_run *run, const struct acme_dns_record *record, size_t n)
{
    struct acme_dns_record *in_dns =
        acme_arena_alloc(run->arena, (n + 1) * sizeof(*in_dns));
    size_t i, count = 0;

    if (in_dns == NULL)
        return acme_error_nomem(run->err);
    for (i = 0; i < n; i++)
        if (acme_challenge_is_dns(record[i].type))
            in_dns[count++] = record[i];
    return count > 0 ? acme_job_dns_propagate(run, in_dns, count) : ACME_OK;
}

/* Records that do not show up are not left behind. */
static enum acme_rc
settle(struct acme_run *run, const struct acme_dns_record *record, size_t n)
{
    struct acme_error first;
    enum acme_rc rc = propagate(run, record, n);

    if (rc != ACME_OK && rc != ACME_STOPPING) {
        first = *run->err;
        acme_job_dns_clean(run, true);
        *run->err = first;
    }
    return rc;
}

static enum acme_rc
make_all(struct acme_run *run, struct acme_dns_record *record, size_t n)
{
    struct acme_error first;
    size_t total;
    enum acme_rc rc = acme_job_dns_delegate(run, record, n);

    if (rc != ACME_OK)
        return rc;
    total = recall(run, record, n);
    rc = number(run, record, n, run->err);
    if (rc == ACME_OK)
        rc = write_down(run, record, total);
    if (rc != ACME_OK)
        return rc;
    rc = make(run, record, n);
    first = *run->err;
    acme_error_clear(run->err);
    if (write_down(run, record, total) != ACME_OK && rc == ACME_OK)
        return run->err->rc;
    *run->err = first;
    if (rc != ACME_OK || is_any_declined(record, n))
        return rc;
    return settle(run, record, n);
}

enum acme_rc
acme_job_dns_present(struct acme_run *run, struct acme_proved *proved,
    size_t n)
{
    const size_t known = acme_json_count(acme_json_get(run->memo, "records"));
    struct acme_dns_record *record;
    enum acme_rc rc = ACME_OK;
    size_t i, count = 0;

    record = acme_arena_alloc(run->arena, (n + known + 1) * sizeof(*record));
    if (record == NULL)
        return acme_error_nomem(run->err);
    for (i = 0; i < n && rc == ACME_OK; i++)
        if (acme_job_is_made(run, proved[i].type))
            rc = new_record(run, &proved[i], &record[count++]);
    if (rc != ACME_OK || count == 0)
        return rc;
    rc = make_all(run, record, count);
    for (i = 0, count = 0; i < n; i++)
        if (acme_job_is_made(run, proved[i].type))
            proved[i].declined = record[count++].why;
    return rc;
}

/* Whether it is to be tried again: a stop is no answer. */
static bool
take_away(struct acme_run *run, const struct acme_dns_record *record,
    bool failed)
{
    const struct acme_dns_means *means = means_of(run, record->type);
    char line[ACME_LOG_LINE_MAX];
    struct acme_error err;

    acme_error_clear(&err);
    if (means == NULL || means->remove(run, record, failed, &err) == ACME_OK)
        return false;
    if (err.rc == ACME_STOPPING)
        return true;
    (void)acme_error_line(&err, line, sizeof(line));
    acme_log(run->job->host, ACME_LOG_WARN,
        "the %s \"%s\" may still be there, lineage \"%s\": %s",
        acme_challenge_is_dns(record->type) ? "TXT record" : "answer for",
        record->owner, run->lineage->name, line);
    return false;
}

void
acme_job_dns_clean(struct acme_run *run, bool failed)
{
    const size_t n = acme_json_count(acme_json_get(run->memo, "records"));
    struct acme_dns_record *record;
    struct acme_json *left;
    struct acme_error ignored;
    size_t i, total;

    if (n == 0)
        return;
    left = acme_json_array();
    acme_error_clear(&ignored);
    record = acme_arena_alloc(run->arena, n * sizeof(*record));
    total = record != NULL ? recall(run, record, 0) : 0;
    if (total > 0 && number(run, record, total, &ignored) != ACME_OK)
        total = 0;
    for (i = 0; i < total; i++)
        if (take_away(run, &record[i], failed))
            acme_json_append(left, render(&record[i]));
    acme_json_set(run->memo, "records", left);
    run->memo_changed = true;
}
