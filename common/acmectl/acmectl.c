/*
 * What all verbs begin with: options, the environment, and the state
 * directory.  What a verb does is in ctl_*.c.
 */
#define _GNU_SOURCE
#include "acmectl/ctl_help.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_version.h"
#include "wrap/acme_idn.h"
#include "wrap/acme_libraries.h"

#ifndef ACME_NGINX_STATE_DIR
#define ACME_NGINX_STATE_DIR "/var/lib/nginx/acme"
#endif
#ifndef ACME_HTTPD_STATE_DIR
#define ACME_HTTPD_STATE_DIR "/var/lib/apache2/acme"
#endif

int
ctl_print_json(struct acme_json *json)
{
    struct acme_error err;
    struct acme_buf text;
    int code = CTL_OK;

    acme_error_clear(&err);
    acme_buf_init(&text, 64 * 1024 * 1024);
    if (acme_json_render(json, true, &text, &err) == ACME_OK)
        (void)fputs(acme_buf_str(&text), stdout);
    else
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    acme_buf_clear(&text);
    acme_json_free(json);
    return code;
}

int
ctl_version(struct ctl *ctl)
{
    struct acme_json *json;

    if (!ctl->json) {
        (void)printf("acmectl %s\nOpenSSL %s, curl %s, jansson %s\n",
            ACME_VERSION, acme_libraries_openssl(), acme_libraries_curl(),
            acme_libraries_jansson());
        return CTL_OK;
    }
    json = acme_json_object();
    acme_json_set_str(json, "version", ACME_VERSION);
    acme_json_set_str(json, "openssl", acme_libraries_openssl());
    acme_json_set_str(json, "curl", acme_libraries_curl());
    acme_json_set_str(json, "jansson", acme_libraries_jansson());
    return ctl_print_json(json);
}

/* ---- the state directory ---------------------------------------------- */

static bool
exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_roots(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid == 0;
}

/* Root's first: what is somebody else's is opened as him, for good. */
static void
add_state(struct ctl *ctl, const char *path)
{
    const char **first = &ctl->state[0];

    ctl->state[ctl->nstates++] = path;
    if (ctl->nstates > 1 && is_roots(path) && !is_roots(*first)) {
        ctl->state[ctl->nstates - 1] = *first;
        *first = path;
    }
}

static const char *const defaults[] = { ACME_NGINX_STATE_DIR,
    ACME_HTTPD_STATE_DIR };

void
ctl_find_defaults(struct ctl *ctl)
{
    size_t i;

    ctl->nstates = 0;
    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (exists(defaults[i]))
            add_state(ctl, defaults[i]);
}

int
ctl_find_states(struct ctl *ctl)
{
    ctl->nstates = 0;
    if (ctl->state_dir != NULL) {
        if (!exists(ctl->state_dir))
            return ctl_fail(CTL_FAILED, "there is no state directory \"%s\"",
                ctl->state_dir);
        ctl->state[ctl->nstates++] = ctl->state_dir;
        return CTL_OK;
    }
    ctl_find_defaults(ctl);
    if (ctl->nstates == 0)
        return ctl_fail(CTL_FAILED,
            "found no state directory (looked for %s and %s); name it with "
            "--state-dir or ACME_STATE_DIR",
            defaults[0], defaults[1]);
    return CTL_OK;
}

/* For good, and with the groups, before anything below is opened.  The group
 * is his own: that of the directory may be the one that reads keys. */
static bool
become(const struct stat *st)
{
    const struct passwd *owner = getpwuid(st->st_uid);
    const gid_t gid = owner != NULL ? owner->pw_gid : st->st_gid;

    return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
           setresuid(st->st_uid, st->st_uid, st->st_uid) == 0 &&
           setuid(0) != 0;
}

int
ctl_become(const char *state_dir, struct stat *st)
{
    static const char *before; /* whose owner root has become */

    if (stat(state_dir, st) != 0)
        return ctl_fail(CTL_FAILED, "cannot use \"%s\": %s", state_dir,
            strerror(errno));
    if (geteuid() == st->st_uid)
        return CTL_OK;
    if (before != NULL)
        return ctl_fail(CTL_FAILED,
            "\"%s\" is left out: it belongs to another user than \"%s\", "
            "whose owner acmectl has become; run it again with --state-dir %s",
            state_dir, before, state_dir);
    if (geteuid() != 0)
        return ctl_fail(CTL_FAILED,
            "\"%s\" belongs to %s; run acmectl as that user", state_dir,
            st->st_uid == 0 ? "root" : "another user");
    if (!become(st))
        return ctl_fail(CTL_FAILED,
            "cannot become the owner (uid %ld) of \"%s\"", (long)st->st_uid,
            state_dir);
    before = state_dir;
    return CTL_OK;
}

int
ctl_open(const char *state_dir, struct acme_store **store)
{
    struct acme_error err;
    struct stat st;
    int code = ctl_become(state_dir, &st);

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    if (acme_store_open(state_dir, ACME_STORE_READ, store, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "cannot use \"%s\": %s", state_dir,
            err.what);
    return CTL_OK;
}

int
ctl_find_one(struct ctl *ctl)
{
    int code = ctl_find_states(ctl);

    if (code == CTL_OK && ctl->nstates > 1)
        code = ctl_fail(CTL_USAGE,
            "there are %zu state directories (%s, %s); say which with "
            "--state-dir",
            ctl->nstates, ctl->state[0], ctl->state[1]);
    return code;
}

int
ctl_find_new(struct ctl *ctl)
{
    if (ctl->state_dir == NULL || exists(ctl->state_dir))
        return ctl_find_one(ctl);
    ctl->state[ctl->nstates++] = ctl->state_dir;
    return CTL_OK;
}

int
ctl_open_one(struct ctl *ctl, struct acme_store **store)
{
    int code = ctl_find_one(ctl);

    return code == CTL_OK ? ctl_open(ctl->state[0], store) : code;
}

int
ctl_open_writing(struct ctl *ctl, struct acme_store **store)
{
    struct acme_error err;
    struct stat st;
    int code = exists(ctl->state[0]) ? ctl_become(ctl->state[0], &st) : CTL_OK;

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    if (acme_store_open(ctl->state[0], ACME_STORE_WRITE, store, &err) !=
        ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return CTL_OK;
}

int
ctl_open_new(struct ctl *ctl, struct acme_store **store)
{
    int code = ctl_find_new(ctl);

    if (code != CTL_OK)
        return code;
    return exists(ctl->state[0]) ? ctl_open(ctl->state[0], store)
                                 : ctl_open_writing(ctl, store);
}

/* ---- names of -d ------------------------------------------------------ */

int
ctl_read_domains(struct ctl *ctl)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_error err;
    const char **word;
    size_t i;

    for (i = 0; i < ctl->domains.n; i++) {
        word = &ctl->domains.word[i];
        acme_error_clear(&err);
        if (acme_idn_parse(*word, strlen(*word), name, &err) != ACME_OK)
            return ctl_fail(CTL_USAGE, "%s", err.what);
        *word = acme_arena_strdup(ctl->arena, name);
        if (*word == NULL)
            return ctl_fail(CTL_FAILED, "out of memory");
    }
    return CTL_OK;
}

int
ctl_operands_are_domains(struct ctl *ctl)
{
    const struct ctl_option *option =
        ctl_option_find("domains", strlen("domains"));
    int i, code = CTL_OK;

    for (i = 0; i < ctl->argc && code == CTL_OK; i++)
        code = ctl_option_take(ctl, option, ctl->argv[i], "");
    ctl->argc = 0;
    return code;
}

/* ---- the command ------------------------------------------------------ */

static int
run(struct ctl *ctl)
{
    if (ctl->version)
        return ctl_version(ctl);
    if (ctl->verb == NULL) {
        ctl_help_print(ctl->help ? stdout : stderr);
        return ctl->help ? CTL_OK : CTL_USAGE;
    }
    if (ctl->help) {
        ctl_help_verb(stdout, ctl->verb);
        return CTL_OK;
    }
    if (ctl->log_file != NULL &&
        ctl_log_open(ctl->log_file, ctl->max_log_backups) != CTL_OK)
        return CTL_FAILED;
    return ctl->verb->run(ctl);
}

/* What was said first counts. */
static int
configure(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_option *state_dir =
        ctl_option_find("state-dir", strlen("state-dir"));
    const char *environment = getenv("ACME_STATE_DIR");
    int code;

    ctl->source = CTL_SOURCE_COMMAND;
    code = ctl_parse(ctl, argc, argv);
    if (code != CTL_OK || ctl->help || ctl->version)
        return code;
    ctl->source = CTL_SOURCE_ENVIRONMENT;
    if (environment != NULL)
        code =
            ctl_option_take(ctl, state_dir, environment, "ACME_STATE_DIR: ");
    if (code == CTL_OK &&
        (ctl->verb == NULL || (ctl->verb->flags & CTL_OWN_FILES) == 0))
        code = ctl_ini_read(ctl);
    ctl->source = CTL_SOURCE_COMMAND;
    return code;
}

/* What other people's environments must not decide. */
static void
clean_environment(void)
{
    static const char *const names[] = { "SSLKEYLOGFILE", "OPENSSL_CONF",
        "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
        "CURL_CA_BUNDLE", "CURL_HOME" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unsetenv(names[i]);
}

int
main(int argc, char **argv)
{
    struct ctl ctl;
    int code;

    if (getauxval(AT_SECURE) != 0)
        return ctl_fail(CTL_FAILED, "must not be installed setuid");
    clean_environment();
    memset(&ctl, 0, sizeof(ctl));
    ctl_options_init(&ctl);
    ctl.arena = acme_arena_new();
    code = ctl.arena != NULL ? configure(&ctl, argc, argv)
                             : ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK)
        code = run(&ctl);
    acme_arena_free(ctl.arena);
    return code;
}
