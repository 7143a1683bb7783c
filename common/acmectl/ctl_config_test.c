/*
 * config test: whether what is configured can be used, all that is wrong at
 * once, and what servers and acmectl want that does not go together; it
 * changes nothing and asks nobody.
 */
#include "acmectl/ctl_options.h"
#include "acmectl/ctl_wish.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive/acme_control.h"
#include "drive/acme_host_check.h"
#include "drive/acme_obeyed.h"
#include "state/acme_match.h"

/* A lineage and the names that somebody declares for it. */
struct declared {
    const char *lineage;
    const char *by;
    struct acme_match_names names;
};

struct testing {
    struct ctl *ctl;
    struct acme_store *store;
    const char *state_dir;
    struct acme_json *problems, *warnings, *states;
    size_t nlineages, nservers;
    struct acme_arena *arena; /* of one state directory: */
    size_t ndeclared;
    struct declared *declared;
    const char *server; /* of --server, if only servers can know it */
    bool is_known;
    struct ctl_words issuers; /* that they know instead */
};

static void
tell(const struct testing *testing, const char *name,
    const struct acme_error *err)
{
    (void)ctl_fail(CTL_FAILED, "%s/renewal/%s.json: %s", testing->state_dir,
        name, err->what);
}

/* Nothing that keeps anything from working. */
static void __attribute__((format(printf, 2, 3)))
warn(const struct testing *testing, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    acme_json_append_str(testing->warnings, text);
}

/* ---- lineages --------------------------------------------------------- */

/* What one declaration says, and the files it names. */
static void
test_declaration(const struct testing *testing, const char *name,
    const struct acme_declaration *by)
{
    struct acme_error err[4];
    size_t i;

    for (i = 0; i < 4; i++)
        acme_error_clear(&err[i]);
    (void)acme_host_check_issuer(&by->issuer, &err[0]);
    (void)acme_host_check_command(&by->proof.command, &err[1]);
    (void)acme_host_check_dns_key(&by->proof, &err[2]);
    (void)acme_host_check_hooks(&by->hooks, &err[3]);
    for (i = 0; i < 4; i++)
        if (err[i].rc != ACME_OK)
            tell(testing, name, &err[i]);
}

/* Remembered, to be compared with those of other lineages. */
static enum acme_rc
remember(struct testing *testing, const char *name,
    const struct acme_declaration *by, struct acme_error *err)
{
    struct declared *grown =
        realloc(testing->declared, (testing->ndeclared + 1) * sizeof(*grown));
    const char **names =
        acme_arena_alloc(testing->arena, (by->nnames + 1) * sizeof(*names));
    struct declared *one;

    if (grown != NULL)
        testing->declared = grown;
    if (grown == NULL || names == NULL)
        return acme_error_nomem(err);
    memcpy(names, by->names, by->nnames * sizeof(*names));
    one = &grown[testing->ndeclared++];
    one->lineage = acme_arena_strdup(testing->arena, name);
    one->by = acme_arena_strdup(testing->arena, by->by);
    one->names.n = by->nnames;
    one->names.name = names;
    return one->lineage != NULL && one->by != NULL &&
                   acme_arena_own(testing->arena, names, by->nnames)
               ? ACME_OK
               : acme_error_nomem(err);
}

static enum acme_rc
test_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct testing *testing = ctx;
    struct acme_settings *settings = NULL;
    struct acme_config *config =
        acme_config_new(testing->state_dir, "acmectl", "config test");
    struct acme_error own;
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (config == NULL)
        return acme_error_nomem(err);
    testing->nlineages++;
    acme_error_clear(&own);
    if (acme_store_settings_read(testing->store, name, &settings, &own) ==
            ACME_OK &&
        settings->ndeclared > 0 &&
        acme_obeyed_add(config, name, settings, acme_obeyed_issuers, NULL,
            &own) == ACME_OK)
        (void)acme_config_finish(config, &own);
    if (own.rc != ACME_OK)
        tell(testing, name, &own);
    for (i = 0; settings != NULL && i < settings->ndeclared && rc == ACME_OK;
         i++) {
        test_declaration(testing, name, &settings->declared[i]);
        rc = remember(testing, name, &settings->declared[i], err);
    }
    acme_settings_free(settings);
    acme_config_free(config);
    return rc;
}

static bool
is_own(const struct declared *one)
{
    return strcmp(one->by, CTL_DECLARER) == 0;
}

/* What acmectl has issued, and a server wants for itself: the server serves
 * its own, and one certificate is renewed for nothing. */
static void
test_twice(const struct testing *testing)
{
    const struct declared *own, *other;
    size_t i, k;

    for (i = 0; i < testing->ndeclared; i++) {
        own = &testing->declared[i];
        for (k = 0; is_own(own) && k < testing->ndeclared; k++) {
            other = &testing->declared[k];
            if (is_own(other) || strcmp(own->lineage, other->lineage) == 0 ||
                !acme_match_covers(&other->names, &own->names))
                continue;
            warn(testing,
                "%s: \"%s\" of acmectl and \"%s\" of %s are certificates "
                "for the same names; acmectl delete --cert-name %s, if "
                "nothing else uses it",
                testing->state_dir, own->lineage, other->lineage, other->by,
                own->lineage);
            break;
        }
    }
}

/* ---- servers ---------------------------------------------------------- */

/* Who writes servers/ANY.json says who he is, and locks it. */
static enum acme_rc
test_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct testing *testing = ctx;

    (void)err;
    testing->nservers++;
    if (strcmp(server->server, "?") == 0 || strcmp(server->config, "?") == 0)
        (void)ctl_fail(CTL_FAILED,
            "%s/servers/%s.json does not say whose it is", testing->state_dir,
            server->instance);
    return ACME_OK;
}

/* Its file and its lock are what is left of it. */
static enum acme_rc
test_gone(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    const struct testing *testing = ctx;

    (void)err;
    warn(testing,
        "%s/servers/%s.json: this server (%s, %s) does not run, and has not "
        "been stopped: its process %ld was killed; the next server that "
        "starts takes the file away",
        testing->state_dir, server->instance, server->server, server->config,
        server->pid);
    return ACME_OK;
}

/* A name is known if one of the state directories has it. */
static enum acme_rc
test_name(struct testing *testing, struct acme_error *err)
{
    struct ctl *ctl = testing->ctl;
    bool several = false;
    enum acme_rc rc;

    if (testing->server == NULL)
        return ACME_OK;
    ctl->server = testing->server;
    rc =
        ctl_server_find(ctl, testing->store, &testing->issuers, &several, err);
    ctl->server = NULL;
    testing->is_known = testing->is_known || rc == ACME_OK;
    if (several)
        return acme_error_set(err, ACME_CONFIG,
            "--server \"%s\" is the name of several CAs", testing->server);
    return rc == ACME_NOENT ? ACME_OK : rc;
}

/* ---- all of it -------------------------------------------------------- */

static void
test_state(struct testing *testing, const char *state_dir)
{
    struct acme_json *one;
    struct acme_error err;
    int fd;

    testing->state_dir = state_dir;
    testing->nlineages = testing->nservers = testing->ndeclared = 0;
    acme_error_clear(&err);
    if (ctl_open(state_dir, &testing->store) != CTL_OK)
        return;
    fd = acme_store_fd(testing->store);
    if (acme_store_lineages(testing->store, test_lineage, testing, &err) !=
            ACME_OK ||
        acme_control_servers(fd, test_server, testing, &err) != ACME_OK ||
        acme_control_gone(fd, test_gone, testing, &err) != ACME_OK ||
        test_name(testing, &err) != ACME_OK)
        (void)ctl_fail(CTL_FAILED, "%s: %s", state_dir, err.what);
    test_twice(testing);
    acme_store_close(testing->store);
    one = acme_json_object();
    acme_json_set_str(one, "state_dir", state_dir);
    acme_json_set_int(one, "lineages", (int64_t)testing->nlineages);
    acme_json_set_int(one, "servers", (int64_t)testing->nservers);
    acme_json_append(testing->states, one);
}

static void
test_all(struct testing *testing)
{
    struct ctl *ctl = testing->ctl;
    struct ctl_wish ignored;
    size_t i;

    if (ctl_ini_test(ctl) == CTL_OK) {
        ctl->files.n = 0;
        if (ctl_ini_read(ctl) == CTL_OK) {
            if (ctl_server_is_name(ctl->server)) {
                testing->server = ctl->server;
                ctl->server = NULL; /* what is built in, for now */
            }
            (void)ctl_wish_make(ctl, NULL, &ignored);
        }
    }
    if (ctl->state_dir != NULL)
        (void)ctl_find_states(ctl);
    else
        ctl_find_defaults(ctl);
    for (i = 0; i < ctl->nstates; i++)
        test_state(testing, ctl->state[i]);
    if (testing->server != NULL && !testing->is_known)
        (void)ctl_server_unknown(ctl, testing->server, &testing->issuers);
}

static void
print_test(const struct testing *testing)
{
    const struct ctl *ctl = testing->ctl;
    size_t i, n = acme_json_count(testing->problems);

    for (i = 0; i < ctl->files.n && !ctl->quiet; i++)
        (void)printf("configuration file %s\n", ctl->files.word[i]);
    for (i = 0; i < acme_json_count(testing->states) && !ctl->quiet; i++) {
        const struct acme_json *one = acme_json_at(testing->states, i);

        (void)printf(
            "state directory %s: lineages %lld, servers that run %lld\n",
            acme_json_str(one, "state_dir"),
            (long long)acme_json_int(one, "lineages", 0),
            (long long)acme_json_int(one, "servers", 0));
    }
    for (i = 0; i < acme_json_count(testing->warnings); i++)
        (void)fprintf(stderr, "acmectl: warning: %s\n",
            acme_json_text(acme_json_at(testing->warnings, i)));
    for (i = 0; i < n; i++)
        (void)fprintf(stderr, "acmectl: %s\n",
            acme_json_text(acme_json_at(testing->problems, i)));
    if (!ctl->quiet)
        (void)puts(n == 0 ? "all in order" : "not in order");
}

static int
print_test_json(struct testing *testing)
{
    const struct ctl *ctl = testing->ctl;
    struct acme_json *json = acme_json_object(), *files = acme_json_array();
    size_t i;

    for (i = 0; i < ctl->files.n; i++)
        acme_json_append_str(files, ctl->files.word[i]);
    acme_json_set_bool(json, "ok", acme_json_count(testing->problems) == 0);
    acme_json_set(json, "files", files);
    acme_json_set(json, "state_dirs", testing->states);
    acme_json_set(json, "problems", testing->problems);
    acme_json_set(json, "warnings", testing->warnings);
    testing->states = testing->problems = testing->warnings = NULL;
    return ctl_print_json(json);
}

int
ctl_config_test(struct ctl *ctl)
{
    struct testing testing = { .ctl = ctl };
    int code;

    testing.arena = acme_arena_new();
    testing.problems = acme_json_array();
    testing.warnings = acme_json_array();
    testing.states = acme_json_array();
    if (testing.arena == NULL || testing.problems == NULL ||
        testing.warnings == NULL || testing.states == NULL) {
        code = ctl_fail(CTL_FAILED, "out of memory");
        goto done;
    }
    ctl_fail_into(testing.problems);
    test_all(&testing);
    ctl_fail_into(NULL);
    code = acme_json_count(testing.problems) == 0 ? CTL_OK : CTL_FAILED;
    if (!ctl->json)
        print_test(&testing);
    else if (print_test_json(&testing) != CTL_OK)
        code = CTL_FAILED;

done:
    free(testing.declared);
    acme_arena_free(testing.arena);
    acme_json_free(testing.problems);
    acme_json_free(testing.warnings);
    acme_json_free(testing.states);
    return code;
}
