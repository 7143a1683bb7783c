/*
 * account export: the key of an account, or accounts as Certbot keeps them,
 * into new files; nothing that is there is written over.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acmectl/ctl_account.h"
#include "acmectl/ctl_file.h"
#include "base/acme_time.h"

#define HTTPS "https://"

/* ---- one key ---------------------------------------------------------- */

static int
not_here(const struct found *found)
{
    return ctl_fail(CTL_FAILED,
        "the key of account %s is a file of yours, that a server's "
        "configuration names: it is there",
        acme_json_str(found->json, "url"));
}

static int
put(const char *path, struct acme_buf *text, mode_t mode)
{
    int fd = -1, code = ctl_file_create(path, &fd);

    if (code != CTL_OK)
        return code;
    if (fchmod(fd, mode) == -1) {
        ctl_file_give_up(path, fd);
        return ctl_fail(CTL_FAILED, "cannot write \"%s\": %s", path,
            strerror(errno));
    }
    return ctl_file_finish(path, fd, text);
}

static int
render_key(const struct acme_key *key, enum acme_key_form form,
    struct acme_buf *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    (void)acme_key_to_form(key, form, text, &err);
    if (form == ACME_KEY_FORM_JWK)
        acme_buf_add_str(text, "\n");
    if (err.rc == ACME_OK && !acme_buf_ok(text))
        (void)acme_error_nomem(&err);
    return err.rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

static int
export_key(struct accounts *accounts)
{
    const struct ctl *ctl = accounts->ctl;
    const bool json =
        ctl->format != NULL && strcasecmp(ctl->format, "json") == 0;
    struct acme_buf text;
    int code;

    if (accounts->key == NULL)
        return not_here(&accounts->list[0]);
    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    code = render_key(accounts->key,
        json ? ACME_KEY_FORM_JWK : ACME_KEY_FORM_PKCS8, &text);
    if (code == CTL_OK && strcmp(ctl->output, "-") != 0)
        code = put(ctl->output, &text, 0600);
    else if (code == CTL_OK &&
             (fwrite(text.data, 1, text.len, stdout) != text.len ||
                 fflush(stdout) != 0))
        code = ctl_fail(CTL_FAILED, "cannot write to standard output");
    acme_buf_clear(&text);
    return code;
}

/* ---- Certbot's tree --------------------------------------------------- */

/* Makes a directory and what is missing above it. */
static int
make_directories(const char *path)
{
    char part[PATH_MAX];
    size_t i;

    (void)snprintf(part, sizeof(part), "%s", path);
    for (i = 1; part[i] != '\0'; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) == -1 && errno != EEXIST)
            break;
        part[i] = '/';
    }
    if (part[i] == '\0' && (mkdir(part, 0700) == 0 || errno == EEXIST))
        return CTL_OK;
    return ctl_fail(CTL_FAILED, "cannot make directory \"%s\": %s", part,
        strerror(errno));
}

/* "DIR/NAME", in the arena. */
static const char *
join(struct ctl *ctl, const char *dir, const char *name)
{
    const char *path = acme_arena_printf(ctl->arena, "%s/%s", dir, name);

    return path != NULL ? path : "";
}

static int
put_json(struct ctl *ctl, const char *dir, const char *name,
    struct acme_json *json)
{
    struct acme_buf text;
    struct acme_error err;
    int code = CTL_OK;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (json == NULL || acme_json_render(json, false, &text, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK)
        code = put(join(ctl, dir, name), &text, 0600);
    acme_buf_clear(&text);
    acme_json_free(json);
    return code;
}

/* regr.json and meta.json */
static int
put_registration(struct ctl *ctl, const char *dir,
    const struct acme_json *account)
{
    struct acme_json *regr = acme_json_object(), *meta = acme_json_object();
    char host[256] = "localhost", when[ACME_TIME_TEXT];
    long long created = acme_json_time(account, "created");
    int code;

    (void)gethostname(host, sizeof(host) - 1);
    acme_json_set(regr, "body", acme_json_object());
    acme_json_set_str(regr, "uri", acme_json_str(account, "url"));
    acme_json_set_str(meta, "creation_dt",
        acme_time_format((time_t)created, when));
    acme_json_set_str(meta, "creation_host", host);
    code = put_json(ctl, dir, "regr.json", regr);
    if (code != CTL_OK) {
        acme_json_free(meta);
        return code;
    }
    return put_json(ctl, dir, "meta.json", meta);
}

static int
put_key(struct ctl *ctl, const char *dir, const struct acme_key *key)
{
    struct acme_buf text;
    int code;

    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    code = render_key(key, ACME_KEY_FORM_JWK, &text);
    if (code == CTL_OK)
        code = put(join(ctl, dir, "private_key.json"), &text, 0400);
    acme_buf_clear(&text);
    return code;
}

static void
remove_half(struct ctl *ctl, const char *dir)
{
    static const char *const names[] = { "private_key.json", "regr.json",
        "meta.json" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(join(ctl, dir, names[i]));
    (void)rmdir(dir);
}

/* Whole under its name, or not there; the key as Certbot has it, 0400. */
static int
put_account(struct ctl *ctl, const char *parent, const char *id,
    const struct found *found, const struct acme_key *key)
{
    const char *dir = join(ctl, parent, id);
    const char *hidden =
        acme_arena_printf(ctl->arena, "%s/.%s.tmp", parent, id);
    int code;

    if (dir[0] == '\0' || hidden == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    code = make_directories(parent);
    if (code != CTL_OK)
        return code;
    if (faccessat(AT_FDCWD, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return ctl_fail(CTL_FAILED, "\"%s\" exists, and is left alone", dir);
    remove_half(ctl, hidden);
    if (mkdir(hidden, 0700) == -1)
        return ctl_fail(CTL_FAILED, "cannot make \"%s\": %s", hidden,
            strerror(errno));
    code = put_key(ctl, hidden, key);
    if (code == CTL_OK)
        code = put_registration(ctl, hidden, found->json);
    if (code == CTL_OK && rename(hidden, dir) == -1)
        code = ctl_fail(CTL_FAILED, "cannot make \"%s\": %s", dir,
            strerror(errno));
    if (code != CTL_OK)
        remove_half(ctl, hidden);
    return code;
}

static int
export_one(const struct accounts *accounts, const struct found *found)
{
    const char *directory = acme_json_str(found->json, "directory");
    struct ctl *ctl = accounts->ctl;
    char id[ACME_KEY_CERTBOT_ID_LEN + 1];
    const char *parent = acme_arena_printf(ctl->arena, "%s/accounts/%s",
        ctl->output, directory + strlen(HTTPS));
    struct acme_key *key = NULL;
    struct acme_error err;
    int code = CTL_OK;

    acme_error_clear(&err);
    if (parent == NULL || strncmp(directory, HTTPS, strlen(HTTPS)) != 0)
        return ctl_fail(CTL_FAILED, "\"%s\" is no directory of a CA",
            directory);
    if (acme_store_key_read(accounts->store, found->id, &key, &err) != ACME_OK)
        return err.rc == ACME_NOENT ? not_here(found)
                                    : ctl_fail(CTL_FAILED, "%s", err.what);
    if (acme_json_str(found->json, "url")[0] == '\0')
        code = ctl_fail(CTL_FAILED,
            "the URL of account %s is not known: acmectl account create asks "
            "the CA for it",
            found->id);
    else if (acme_key_certbot_id(key, id, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    if (code == CTL_OK)
        code = put_account(ctl, parent, id, found, key);
    if (code == CTL_OK && !ctl->quiet)
        (void)fprintf(stderr, "acmectl: account %s is in \"%s/%s\"\n",
            acme_json_str(found->json, "url"), parent, id);
    acme_key_unref(key);
    return code;
}

static int
export_tree(struct accounts *accounts)
{
    int code = CTL_OK;
    size_t i;

    if (accounts->n == 0)
        return ctl_fail(CTL_FAILED,
            "there is no such account; acmectl account list shows them");
    for (i = 0; i < accounts->n && code == CTL_OK; i++)
        code = export_one(accounts, &accounts->list[i]);
    return code;
}

int
ctl_account_export(struct ctl *ctl)
{
    const char *format = ctl->format != NULL ? ctl->format : "pem";

    if (strcasecmp(format, "certbot") == 0) {
        if (ctl->output == NULL || strcmp(ctl->output, "-") == 0)
            return ctl_fail(CTL_USAGE,
                "account export --format certbot needs a directory, with "
                "--output DIR");
        return ctl_account_run(ctl, false, export_tree);
    }
    if (strcasecmp(format, "pem") != 0 && strcasecmp(format, "json") != 0)
        return ctl_fail(CTL_USAGE,
            "account export --format \"%s\" is none of pem, json, certbot",
            format);
    if (ctl->output == NULL)
        return ctl_fail(CTL_USAGE,
            "account export shows a private key: name a file with --output "
            "FILE, or - for standard output");
    return ctl_account_run(ctl, true, export_key);
}
