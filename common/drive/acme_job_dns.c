#include "drive/acme_job_dns.h"

#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "state/acme_dns_owner.h"
#include "wrap/acme_hash.h"

/* ---- which there are -------------------------------------------------- */

/* How the lineage's DNS is changed; NULL: not at all. */
static const struct acme_dns_means *
means_of(const struct acme_run *run)
{
    (void)run;
    return NULL;
}

static enum acme_rc
owner_of(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    char owner[ACME_NAME_MAX + 1];
    enum acme_rc rc;

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
    record->type = proved->type;
    record->name = proved->authz->name;
    record->token = proved->challenge->token;
    record->output = "";
    record->made = false;
    if (owner_of(run, record, run->err) != ACME_OK)
        return run->err->rc;
    return prove_token(run, record, run->err);
}

/* ---- what is written down --------------------------------------------- */

static struct acme_json *
render(const struct acme_dns_record *record)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "type", acme_challenge_name(record->type));
    acme_json_set_str(json, "name", record->name);
    acme_json_set_str(json, "owner", record->owner);
    acme_json_set_str(json, "token", record->token);
    acme_json_set_str(json, "output", record->output);
    acme_json_set_bool(json, "made", record->made);
    return json;
}

/* False: it is damaged, or memory is short; there is nothing to be done. */
static bool
parse(struct acme_run *run, const struct acme_json *json,
    struct acme_dns_record *record, struct acme_error *err)
{
    const char *type = acme_json_str(json, "type");
    const char *output = acme_json_str(json, "output");

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
    record->output =
        acme_arena_strdup(run->arena, output != NULL ? output : "");
    return record->name != NULL && record->owner != NULL &&
           record->token != NULL && record->output != NULL &&
           prove_token(run, record, err) == ACME_OK;
}

/* The record of before with that owner and token: what it gave back, and
 * whether it was made. */
static void
recall(struct acme_run *run, struct acme_dns_record *record)
{
    const struct acme_json *list = acme_json_get(run->memo, "records");
    struct acme_dns_record before;
    struct acme_error ignored;
    size_t i;

    for (i = 0; i < acme_json_count(list); i++) {
        acme_error_clear(&ignored);
        if (!parse(run, acme_json_at(list, i), &before, &ignored) ||
            strcmp(before.owner, record->owner) != 0 ||
            strcmp(before.token, record->token) != 0)
            continue;
        record->output = before.output;
        record->made = before.made;
    }
}

static enum acme_rc
write_down(struct acme_run *run, const struct acme_dns_record *record,
    size_t n)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < n; i++)
        acme_json_append(list, render(&record[i]));
    acme_json_set(run->memo, "records", list);
    return acme_job_save_memo(run, false, run->err);
}

/* ---- making and taking away ------------------------------------------- */

static enum acme_rc
make(struct acme_run *run, const struct acme_dns_means *means,
    struct acme_dns_record *record, size_t n)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < n && rc == ACME_OK; i++) {
        if (record[i].made)
            continue;
        rc = means->add(run, &record[i], run->err);
        if (rc != ACME_OK)
            (void)acme_error_wrap(run->err, "%s of \"%s\"",
                acme_challenge_name(record[i].type), record[i].name);
        record[i].made = rc == ACME_OK;
    }
    return rc;
}

enum acme_rc
acme_job_dns_present(struct acme_run *run, const struct acme_proved *proved,
    size_t n)
{
    const struct acme_dns_means *means = means_of(run);
    struct acme_dns_record *record;
    struct acme_error first;
    enum acme_rc rc = ACME_OK;
    size_t i, count = 0;

    record = acme_arena_alloc(run->arena, (n + 1) * sizeof(*record));
    if (record == NULL)
        return acme_error_nomem(run->err);
    for (i = 0; i < n && rc == ACME_OK; i++) {
        if (proved[i].type != ACME_DNS_01 &&
            proved[i].type != ACME_DNS_ACCOUNT_01)
            continue;
        rc = new_record(run, &proved[i], &record[count]);
        if (rc == ACME_OK)
            recall(run, &record[count++]);
    }
    if (rc != ACME_OK || count == 0)
        return rc;
    if (means == NULL)
        return acme_error_set(run->err, ACME_CONFIG,
            "nothing is configured that changes the DNS");
    rc = write_down(run, record, count);
    if (rc != ACME_OK)
        return rc;
    rc = make(run, means, record, count);
    first = *run->err;
    acme_error_clear(run->err);
    if (write_down(run, record, count) != ACME_OK && rc == ACME_OK)
        return run->err->rc;
    *run->err = first;
    return rc;
}

void
acme_job_dns_clean(struct acme_run *run, bool failed)
{
    const struct acme_dns_means *means = means_of(run);
    const struct acme_json *list = acme_json_get(run->memo, "records");
    struct acme_dns_record record;
    struct acme_error err;
    char line[ACME_LOG_LINE_MAX];
    size_t i;

    if (acme_json_count(list) == 0)
        return;
    for (i = 0; means != NULL && i < acme_json_count(list); i++) {
        acme_error_clear(&err);
        if (!parse(run, acme_json_at(list, i), &record, &err) ||
            means->remove(run, &record, failed, &err) == ACME_OK)
            continue;
        (void)acme_error_line(&err, line, sizeof(line));
        acme_log(run->job->host, ACME_LOG_WARN,
            "the TXT record \"%s\" is still there, lineage \"%s\": %s",
            record.owner, run->lineage->name, line);
    }
    acme_json_set(run->memo, "records", acme_json_array());
    run->memo_changed = true;
}
