/*
 * delete: all there is of lineages, but for what has happened to them.  What a
 * server declares is protected: it would come back, and cost an order.
 */
#include "acmectl/ctl_delete.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_limits.h"

/* Who declares a lineage, as text. */
#define BY_MAX 2000

static const char *
list(const struct acme_buf *by)
{
    return acme_buf_ok(by) ? acme_buf_str(by) : "several servers";
}

int
ctl_delete_allowed(const struct ctl *ctl, struct acme_store *store,
    const char *name, const char *verb)
{
    struct acme_buf by;
    int code = CTL_OK;
    size_t n;

    acme_buf_init(&by, BY_MAX);
    n = ctl_lineage_declarers(store, name, true, &by);
    if (n > 0 && !ctl->force)
        code = ctl_fail(CTL_FAILED,
            "%s is declared by %s, which serves it and has it made anew; "
            "take it out of that configuration, or %s it with --force",
            name, list(&by), verb);
    acme_buf_clear(&by);
    return code;
}

bool
ctl_delete_is_declared(struct acme_store *store, const char *name)
{
    struct acme_buf by;
    bool is;

    acme_buf_init(&by, BY_MAX);
    is = ctl_lineage_declarers(store, name, true, &by) > 0;
    acme_buf_clear(&by);
    return is;
}

/* What was there and is not ours. */
static bool
is_left(const struct acme_store *store, const char *name)
{
    char path[ACME_LINEAGE_MAX + 16];
    struct stat st;

    (void)snprintf(path, sizeof(path), "archive/%s", name);
    return fstatat(acme_store_fd(store), path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Who declares it goes on, and what becomes of that. */
static void
add_consequence(struct acme_store *store, const char *name, bool declared,
    char *text, size_t size)
{
    size_t len = strlen(text);

    if (is_left(store, name))
        len += (size_t)snprintf(text + len, size - len,
            "; archive/%s stays, it has files that are not ours", name);
    if (!declared || len >= size)
        return;
    if (ctl_servers_running(store) > 0)
        (void)snprintf(text + len, size - len,
            "; a server that runs goes on serving its certificate from "
            "memory; reloaded or restarted it has none until it has obtained "
            "another one");
    else
        (void)snprintf(text + len, size - len,
            "; the server that declares it has no certificate after its next "
            "start until it has obtained another one");
}

int
ctl_delete_one(const struct ctl *ctl, struct acme_store *store,
    const char *name, int lock, char *text, size_t size)
{
    const bool declared = ctl_delete_is_declared(store, name);
    struct acme_error err;
    bool locks = lock == -1;
    int code = CTL_OK;

    acme_error_clear(&err);
    if (locks)
        code = ctl_lineage_lock(ctl, store, name, &lock);
    if (code != CTL_OK)
        return code;
    if (acme_store_forget(store, name, &err) != ACME_OK) {
        code = ctl_fail(CTL_FAILED,
            "%s: not all of it was deleted: %s; delete it once more", name,
            err.what);
    } else {
        (void)snprintf(text, size, "deleted");
        add_consequence(store, name, declared, text, size);
        code = ctl_note_event(store, name, ACME_EVENT_DELETED, NULL, text);
    }
    if (locks)
        (void)close(lock);
    return code;
}

bool
ctl_delete_is_wanted(const struct ctl *ctl, struct acme_store *store,
    const char *name)
{
    unsigned number[CTL_VERSIONS_MAX];
    char question[ACME_LINEAGE_MAX + 200];
    size_t n = 0;

    if (ctl->yes || !ctl_may_ask(ctl))
        return true;
    if (ctl_version_numbers(store, name, number, &n) != CTL_OK)
        return false;
    (void)snprintf(question, sizeof(question),
        "deletes \"%s\", %zu version%s with the private keys", name, n,
        n == 1 ? "" : "s");
    return ctl_ask_yes(ctl, "--yes", question) == CTL_OK;
}

/* ---- the verb --------------------------------------------------------- */

/* Nothing is deleted before all of it may be. */
static int
check(const struct ctl *ctl, struct acme_store *store)
{
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < ctl->cert_names.n && code == CTL_OK; i++) {
        code = ctl_lineage_need(store, ctl->cert_names.word[i]);
        if (code == CTL_OK)
            code = ctl_delete_allowed(ctl, store, ctl->cert_names.word[i],
                "delete");
    }
    return code;
}

static void
tell(const struct ctl *ctl, struct acme_json *results, const char *name,
    bool ok, const char *text)
{
    struct acme_json *one;

    if (results != NULL) {
        one = acme_json_object();
        acme_json_set_str(one, "name", name);
        acme_json_set_bool(one, "ok", ok);
        acme_json_set_str(one, "text", text);
        acme_json_append(results, one);
    } else if (!ctl->quiet && text[0] != '\0') {
        (void)printf("%s: %s\n", name, text);
    }
}

static int
delete_all(const struct ctl *ctl, struct acme_store *store,
    struct acme_json *results)
{
    char text[800];
    int code = CTL_OK, one;
    size_t i;

    for (i = 0; i < ctl->cert_names.n; i++) {
        const char *name = ctl->cert_names.word[i];

        text[0] = '\0';
        if (ctl_delete_is_wanted(ctl, store, name)) {
            one = ctl_delete_one(ctl, store, name, -1, text, sizeof(text));
        } else {
            (void)snprintf(text, sizeof(text), "kept");
            one = CTL_FAILED;
        }
        tell(ctl, results, name, one == CTL_OK, text);
        if (code == CTL_OK)
            code = one;
    }
    return code;
}

int
ctl_delete(struct ctl *ctl)
{
    struct acme_json *results = NULL;
    struct acme_store *store = NULL;
    int code;

    if (ctl->cert_names.n == 0)
        return ctl_fail(CTL_USAGE,
            "say which lineage, by --cert-name NAME; acmectl certificates "
            "lists them");
    code = ctl_open_changing(ctl, &store);
    if (code == CTL_OK)
        code = check(ctl, store);
    if (code == CTL_OK) {
        results = ctl->json ? acme_json_array() : NULL;
        code = delete_all(ctl, store, results);
    }
    if (results != NULL)
        (void)ctl_print_json(results);
    acme_store_close(store);
    return code;
}
