/*
 * account rekey: another key for the accounts of one, at every CA or at none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "acmectl/ctl_account.h"
#include "drive/acme_host_check.h"
#include "drive/acme_rekeyer.h"
#include "state/acme_dir.h"

/* Jobs at work are waited for, all in all; and how often that is looked at. */
#define PATIENCE_MS 15000
#define LOOK_MS 100

struct rekey {
    struct accounts *accounts;
    struct acme_store *store; /* for writing */
    int lock;
    struct acme_rekey keys;
    bool resumed;     /* somebody before us has not ended */
    size_t norders;   /* in flight with one of the accounts */
    long patience_ms; /* left, for jobs at work */
};

static bool
is_ours(const struct rekey *rekey, const char *id)
{
    return strcmp(id, rekey->keys.from) == 0 ||
           (rekey->resumed && strcmp(id, rekey->keys.to) == 0);
}

/* ---- which key -------------------------------------------------------- */

/* A change that was interrupted has two; no other one begins before its end.
 */
static int
find_interrupted(struct rekey *rekey, const char *id)
{
    struct acme_error ignored;
    struct acme_rekey keys;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    rc = acme_store_rekey_read(rekey->store, &keys, &ignored);
    if (rc != ACME_OK && rc != ACME_NOENT)
        return ctl_fail(CTL_FAILED, "%s", ignored.what);
    rekey->resumed = rc == ACME_OK;
    if (rc == ACME_OK && strcmp(keys.from, id) != 0 &&
        strcmp(keys.to, id) != 0)
        return ctl_fail(CTL_FAILED,
            "the change of another key is not complete: run account rekey "
            "--account %s first",
            keys.from);
    if (rc == ACME_OK)
        rekey->keys = keys;
    else
        (void)snprintf(rekey->keys.from, sizeof(rekey->keys.from), "%s", id);
    return CTL_OK;
}

static int
several(const struct accounts *accounts)
{
    size_t i;

    for (i = 0; i < accounts->n; i++)
        (void)fprintf(stderr, "acmectl:   %s  %s\n", accounts->list[i].id,
            acme_json_str(accounts->list[i].json, "directory"));
    return ctl_fail(CTL_USAGE,
        "there are several account keys; say which with --account ID");
}

static int
choose_key(struct rekey *rekey)
{
    struct accounts *accounts = rekey->accounts;
    size_t i;
    int code;

    if (accounts->n == 0)
        return ctl_fail(CTL_FAILED,
            "there is no such account; acmectl account list shows them");
    code = find_interrupted(rekey, accounts->list[0].id);
    if (code != CTL_OK)
        return code;
    for (i = 1; i < accounts->n; i++)
        if (!is_ours(rekey, accounts->list[i].id))
            return several(accounts);
    return CTL_OK;
}

/* Every account of that key, whichever of them the command line has named. */
static int
find_all(struct rekey *rekey)
{
    struct accounts *accounts = rekey->accounts;
    size_t i, n = 0;
    int code;

    accounts->ctl->account = accounts->ctl->server = NULL;
    code = ctl_account_find(accounts);
    if (code != CTL_OK)
        return code;
    for (i = 0; i < accounts->n; i++) {
        const char *directory =
            acme_json_str(accounts->list[i].json, "directory");

        if (!is_ours(rekey, accounts->list[i].id) ||
            /* a crash left it under both keys */
            (n > 0 &&
                strcmp(directory, acme_json_str(accounts->list[n - 1].json,
                                      "directory")) == 0)) {
            acme_json_free(accounts->list[i].json);
            continue;
        }
        accounts->list[n++] = accounts->list[i];
    }
    accounts->n = n;
    return CTL_OK;
}

struct file {
    const struct rekey *rekey;
    char path[4096];
};

static void
look_for_file(struct file *file, const struct acme_issuer *issuer)
{
    if (issuer->key_file != NULL &&
        strcmp(issuer->directory,
            acme_json_str(file->rekey->accounts->list[0].json, "directory")) ==
            0)
        (void)snprintf(file->path, sizeof(file->path), "%s", issuer->key_file);
}

static enum acme_rc
look_into_settings(void *ctx, const char *name, struct acme_error *err)
{
    struct file *file = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    size_t i, k;

    (void)err;
    acme_error_clear(&ignored);
    if (acme_store_settings_read(file->rekey->accounts->store, name, &settings,
            &ignored) != ACME_OK)
        return ACME_OK;
    for (i = 0; i < settings->ndeclared; i++) {
        look_for_file(file, &settings->declared[i].issuer);
        for (k = 0; k < settings->declared[i].nfallbacks; k++)
            look_for_file(file, &settings->declared[i].fallback[k]);
    }
    acme_settings_free(settings);
    return ACME_OK;
}

static int
not_ours(const struct rekey *rekey)
{
    struct file file = { rekey, "" };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    (void)acme_store_lineages(rekey->accounts->store, look_into_settings,
        &file, &ignored);
    return ctl_fail(CTL_FAILED,
        "the key of this account is a file of yours%s%s%s: name a new one in "
        "\"account_key\" (nginx) or \"ACMEAccountKey\" (Apache httpd)",
        file.path[0] != '\0' ? ", \"" : "", file.path,
        file.path[0] != '\0' ? "\"" : "");
}

/* ---- the new key ------------------------------------------------------ */

static enum acme_rc
read_key(const char *path, struct acme_key **key, struct acme_error *err)
{
    char *whole = realpath(path, NULL);
    struct acme_buf text;
    enum acme_rc rc;

    if (whole == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "\"%s\" is neither a type of key (ecdsa, rsa:3072) nor a file of "
            "one",
            path);
    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    rc =
        acme_dir_read_secret(whole, geteuid(), ACME_STATE_PEM_MAX, &text, err);
    if (rc == ACME_OK)
        rc = acme_key_from_text(acme_buf_str(&text), text.len, key, err);
    if (rc != ACME_OK)
        (void)acme_error_wrap(err, "account key \"%s\"", path);
    acme_buf_clear(&text);
    free(whole);
    return rc;
}

static enum acme_rc
make_key(const struct accounts *accounts, struct acme_key **key,
    struct acme_error *err)
{
    const struct ctl *ctl = accounts->ctl;
    enum acme_key_type type = acme_key_type_of(accounts->key);
    bool is_file = false;
    enum acme_rc rc = ACME_OK;

    if (ctl->argc > 0)
        rc = acme_host_account_key(ctl->argv[0], &type, &is_file, err);
    if (rc == ACME_OK)
        rc = is_file ? read_key(ctl->argv[0], key, err)
                     : acme_key_generate(type, key, err);
    return rc;
}

static enum acme_rc
visit_used(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    (void)account;
    return strcmp(id, ctx) != 0
               ? ACME_OK
               : acme_error_set(err, ACME_CONFIG,
                     "the new key is in use here already, another one is "
                     "needed");
}

static int
begin(struct rekey *rekey)
{
    struct acme_key *key = NULL;
    char id[ACME_KEY_ID_LEN + 1];
    struct acme_error err;

    acme_error_clear(&err);
    if (make_key(rekey->accounts, &key, &err) == ACME_OK &&
        acme_key_id(key, id, &err) == ACME_OK &&
        acme_store_accounts(rekey->store, visit_used, id, &err) == ACME_OK)
        (void)acme_store_rekey_begin(rekey->store, rekey->keys.from, key,
            &rekey->keys, &err);
    acme_key_unref(key);
    return err.rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

/* ---- jobs and orders in flight ---------------------------------------- */

/* Whether one of the accounts is at this CA. */
static bool
is_at(const struct rekey *rekey, const struct acme_issuer *issuer)
{
    size_t i;

    for (i = 0; i < rekey->accounts->n; i++)
        if (strcmp(issuer->directory,
                acme_json_str(rekey->accounts->list[i].json, "directory")) ==
            0)
            return true;
    return false;
}

/* Whether its jobs may use one of the accounts; if in doubt, they do. */
static bool
is_concerned(const struct rekey *rekey, const char *name)
{
    struct acme_settings *settings = NULL;
    const struct acme_declaration *declared;
    struct acme_error ignored;
    bool is = false;
    size_t i, k;

    acme_error_clear(&ignored);
    if (acme_store_settings_read(rekey->store, name, &settings, &ignored) !=
        ACME_OK)
        return true;
    for (i = 0; i < settings->ndeclared && !is; i++) {
        declared = &settings->declared[i];
        is = is_at(rekey, &declared->issuer);
        for (k = 0; k < declared->nfallbacks && !is; k++)
            is = is_at(rekey, &declared->fallback[k]);
    }
    acme_settings_free(settings);
    return is;
}

static void
pause_ms(long ms)
{
    const struct timespec time = { .tv_sec = ms / 1000,
        .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&time, NULL);
}

/*
 * A job that has its account by now would go on with a key that the CA does
 * not know any more: it is waited for, with the lineage's lock.  Whoever takes
 * that later finds the change.  *fd -1: the job does not end.
 */
static enum acme_rc
wait_for_job(struct rekey *rekey, const char *name, int *fd,
    struct acme_error *err)
{
    const struct ctl *ctl = rekey->accounts->ctl;
    struct acme_error own;
    bool told = ctl->quiet;
    enum acme_rc rc;

    for (;;) {
        acme_error_clear(&own);
        rc = acme_store_lock(rekey->store, "lineage", name, fd, &own);
        if (rc != ACME_BUSY || rekey->patience_ms <= 0)
            break;
        if (!told)
            (void)fprintf(stderr, "acmectl: waiting for lineage \"%s\"\n",
                name);
        told = true;
        pause_ms(LOOK_MS);
        rekey->patience_ms -= LOOK_MS;
    }
    return rc == ACME_OK || rc == ACME_BUSY
               ? ACME_OK
               : acme_error_set(err, rc, "%s", own.what);
}

static bool
is_with_account(const struct rekey *rekey, const struct acme_buf *text)
{
    struct acme_json *root = NULL;
    struct acme_error ignored;
    const char *url;
    bool is = false;
    size_t i;

    acme_error_clear(&ignored);
    if (acme_json_parse(acme_buf_str(text), text->len, "order", &root,
            &ignored) != ACME_OK)
        return false;
    url = acme_json_str(root, "account");
    for (i = 0; i < rekey->accounts->n && url != NULL && !is; i++)
        is = strcmp(url,
                 acme_json_str(rekey->accounts->list[i].json, "url")) == 0;
    acme_json_free(root);
    return is;
}

static void
add_order(struct rekey *rekey, const char *lineage)
{
    rekey->norders++;
    if (!rekey->accounts->ctl->force)
        (void)fprintf(stderr, "acmectl:   lineage \"%s\"\n", lineage);
}

static enum acme_rc
look_at_unit(struct rekey *rekey, const char *lineage, const char *unit,
    struct acme_error *err)
{
    struct acme_error ignored;
    struct acme_buf text, key;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    if (acme_store_order_read(rekey->store, unit, &text, &key, &ignored) ==
            ACME_OK &&
        is_with_account(rekey, &text)) {
        add_order(rekey, lineage);
        if (rekey->accounts->ctl->force)
            rc = acme_store_order_drop(rekey->store, unit, err);
    }
    acme_buf_clear(&text);
    acme_buf_clear(&key);
    return rc;
}

static enum acme_rc
look_at_lineage(void *ctx, const char *name, struct acme_error *err)
{
    char unit[ACME_UNIT_NAME_MAX];
    struct rekey *rekey = ctx;
    size_t before = rekey->norders, k;
    bool concerned = is_concerned(rekey, name);
    enum acme_rc rc = ACME_OK;
    int fd = -1;

    if (concerned)
        rc = wait_for_job(rekey, name, &fd, err);
    for (k = 0; k < ACME_ALGORITHMS && rc == ACME_OK; k++) {
        acme_store_unit_name(unit, name, k);
        rc = look_at_unit(rekey, name, unit, err);
    }
    /* It has no order yet, and may be about to make one. */
    if (rc == ACME_OK && concerned && fd == -1 && rekey->norders == before)
        add_order(rekey, name);
    if (fd != -1)
        close(fd);
    return rc;
}

/* After the beginning: from then on no server begins with another one. */
static int
look_at_orders(struct rekey *rekey)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_lineages(rekey->store, look_at_lineage, rekey, &err) !=
        ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (rekey->norders == 0 || rekey->accounts->ctl->force)
        return CTL_OK;
    return ctl_fail(CTL_FAILED,
        "orders are in flight with this account; wait for their end, or drop "
        "them with --force");
}

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
change(struct rekey *rekey, struct acme_error *err)
{
    struct accounts *accounts = rekey->accounts;
    struct acme_account_work work = { .action = ACME_ACCOUNT_REKEY,
        .rekey = rekey->keys,
        .resumed = rekey->resumed };
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < accounts->n && rc == ACME_OK; i++)
        rc = ctl_account_issuer(accounts, &accounts->list[i], NULL, 0, err);
    return rc == ACME_OK ? ctl_account_work(accounts, &work, err) : rc;
}

static enum acme_rc
end(struct rekey *rekey, bool done, struct acme_error *err)
{
    return acme_store_rekey_end(rekey->store, &rekey->keys, done, err);
}

static int
fail(struct rekey *rekey, const struct acme_error *err)
{
    const char *text = rekey->accounts->text;
    bool settled =
        strncmp(text, ACME_REKEY_AS_BEFORE, strlen(ACME_REKEY_AS_BEFORE)) == 0;
    struct acme_error own;

    acme_error_clear(&own);
    if (err->rc != ACME_OK)
        (void)ctl_fail(CTL_FAILED, "%s", err->what);
    else if (strchr(text, '\n') != NULL)
        (void)ctl_fail(CTL_FAILED, "%s", strchr(text, '\n') + 1);
    if (settled && end(rekey, false, &own) == ACME_OK)
        return ctl_fail(CTL_FAILED,
            "the key is not changed: every account has the old one%s",
            rekey->accounts->n > 1 ? ", rolled back where it had the new one"
                                   : "");
    return ctl_fail(CTL_FAILED,
        "the change of the key is not complete: servers find out which key "
        "each CA knows; run account rekey again to complete it");
}

static int
tell(const struct rekey *rekey)
{
    const struct accounts *accounts = rekey->accounts;
    struct acme_json *json, *urls;
    size_t i;

    if (accounts->ctl->json) {
        json = acme_json_object();
        urls = acme_json_array();
        for (i = 0; i < accounts->n; i++)
            acme_json_append_str(urls,
                acme_json_str(accounts->list[i].json, "url"));
        acme_json_set(json, "urls", urls);
        acme_json_set_str(json, "id", rekey->keys.to);
        acme_json_set_bool(json, "ok", true);
        return ctl_print_json(json);
    }
    for (i = 0; i < accounts->n && !accounts->ctl->quiet; i++)
        (void)printf("account %s has the key %s now\n",
            acme_json_str(accounts->list[i].json, "url"), rekey->keys.to);
    if (rekey->resumed && accounts->ctl->argc > 0 && !accounts->ctl->quiet)
        (void)puts("This completed a change that had been interrupted, with "
                   "its key; run it again for another one.");
    return CTL_OK;
}

static int
run(struct rekey *rekey)
{
    struct acme_error err, ignored;
    int code = rekey->resumed ? CTL_OK : begin(rekey);

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    acme_error_clear(&ignored);
    code = look_at_orders(rekey);
    if (code != CTL_OK) {
        if (!rekey->resumed)
            (void)end(rekey, false, &ignored);
        return code;
    }
    if (change(rekey, &err) != ACME_OK || rekey->accounts->failed)
        return fail(rekey, &err);
    if (end(rekey, true, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED,
            "%s; every CA has the new key, run account rekey again to "
            "complete it here",
            err.what);
    return tell(rekey);
}

static int
take_lock(struct rekey *rekey)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_lock(rekey->store, "account", rekey->keys.from,
            &rekey->lock, &err) == ACME_OK)
        return CTL_OK;
    return ctl_fail(err.rc == ACME_BUSY ? CTL_LOCKED : CTL_FAILED, "%s",
        err.what);
}

/* What somebody else did before we had the lock counts. */
static int
prepare(struct rekey *rekey)
{
    int code = choose_key(rekey);

    if (code == CTL_OK)
        code = take_lock(rekey);
    if (code == CTL_OK)
        code = find_all(rekey);
    if (code == CTL_OK && rekey->accounts->n > 0)
        code = choose_key(rekey);
    if (code == CTL_OK && rekey->accounts->n == 0)
        code = ctl_fail(CTL_FAILED, "the account has another key by now");
    if (code != CTL_OK)
        return code;
    ctl_account_key(rekey->accounts);
    return rekey->accounts->key != NULL ? CTL_OK : not_ours(rekey);
}

int
ctl_account_change_key(struct accounts *accounts)
{
    struct rekey rekey = { .accounts = accounts,
        .lock = -1,
        .patience_ms = PATIENCE_MS };
    struct acme_error err;
    int code;

    acme_error_clear(&err);
    if (acme_store_open(accounts->ctl->state[0], ACME_STORE_WRITE,
            &rekey.store, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    code = prepare(&rekey);
    if (code == CTL_OK)
        code = run(&rekey);
    if (rekey.lock != -1)
        close(rekey.lock);
    acme_store_close(rekey.store);
    return code;
}
