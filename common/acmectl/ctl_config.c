/*
 * config show: what each option is, and who has said so.  config test: whether
 * what is configured can be used, all that is wrong at once; it changes
 * nothing and asks nobody.
 */
#include "acmectl/ctl_kept.h"
#include "acmectl/ctl_wish.h"

#include <stdio.h>
#include <string.h>

#include "drive/acme_control.h"
#include "drive/acme_host_check.h"
#include "drive/acme_obeyed.h"

/* ---- show ------------------------------------------------------------- */

struct showing {
    struct ctl *ctl;
    struct acme_json *declaration; /* of the lineage; NULL: of none */
    const char *by;                /* whose it is */
    struct acme_json *list;        /* with --json */
};

static enum ctl_source
said_by(const struct ctl *ctl, const struct ctl_option *option)
{
    return (enum ctl_source)ctl->said_by[option - ctl_options];
}

/* Who has said what the option is for commands. */
static const char *
source_of(const struct ctl *ctl, const struct ctl_option *option)
{
    const char *at = ctl->said_at[option - ctl_options];

    switch (said_by(ctl, option)) {
    case CTL_SOURCE_NONE:
        return "built-in";
    case CTL_SOURCE_COMMAND:
        return "command line";
    case CTL_SOURCE_ENVIRONMENT:
        return "environment";
    case CTL_SOURCE_OWN_FILE:
    case CTL_SOURCE_COMMON_FILE:
        break;
    }
    return at != NULL ? at : "configuration file";
}

static void
show(const struct showing *showing, const char *name, const char *value,
    const char *from)
{
    struct acme_json *one;

    if (showing->list == NULL) {
        (void)printf("%-24s %-32s %s\n", name, value[0] != '\0' ? value : "-",
            from);
        return;
    }
    one = acme_json_object();
    acme_json_set_str(one, "option", name);
    acme_json_set_str(one, "value", value);
    acme_json_set_str(one, "from", from);
    acme_json_append(showing->list, one);
}

/* The command line, then the lineage and its servers, then files. */
static void
show_option(const struct showing *showing, const struct ctl_option *option)
{
    struct ctl *ctl = showing->ctl;
    const char *kept = NULL;

    if (showing->declaration != NULL &&
        said_by(ctl, option) != CTL_SOURCE_COMMAND)
        kept = ctl_kept_text(showing->declaration, option, ctl->arena);
    if (kept != NULL)
        show(showing, option->name, kept, showing->by);
    else
        show(showing, option->name, ctl_option_text(ctl, option),
            source_of(ctl, option));
}

/* Without being named, every default that exists. */
static void
show_states(const struct showing *showing)
{
    struct ctl *ctl = showing->ctl;
    size_t i;

    for (i = 0; i < ctl->nstates; i++)
        show(showing, "state-dir", ctl->state[i], "built-in");
}

static void
show_all(const struct showing *showing)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++) {
        const bool is_own = ctl_kept_is(option);

        if ((option->flags & CTL_WITHOUT) != 0 ||
            (showing->declaration != NULL ? !is_own
                                          : (option->flags & CTL_ONCE) != 0))
            continue;
        if (strcmp(option->name, "state-dir") == 0 &&
            said_by(showing->ctl, option) == CTL_SOURCE_NONE)
            show_states(showing);
        else
            show_option(showing, option);
    }
}

/* The oldest declaration is the one whose policy counts. */
static int
find_declaration(struct showing *showing, struct acme_store *store)
{
    struct ctl *ctl = showing->ctl;
    struct acme_settings *settings = NULL;
    struct acme_error err;
    int code = CTL_OK;

    acme_error_clear(&err);
    if (acme_store_settings_read(store, ctl->cert_name, &settings, &err) !=
        ACME_OK)
        return err.rc == ACME_NOENT
                   ? ctl_fail(CTL_FAILED,
                         "there is no lineage \"%s\"; acmectl certificates "
                         "lists them",
                         ctl->cert_name)
                   : ctl_fail(CTL_FAILED, "%s", err.what);
    if (settings->ndeclared == 0) {
        code = ctl_fail(CTL_FAILED,
            "nobody declares \"%s\" any more: nothing counts for it",
            ctl->cert_name);
    } else {
        showing->declaration = acme_declaration_render(settings->declared);
        showing->by =
            strcmp(settings->declared[0].by, CTL_DECLARER) == 0
                ? "lineage"
                : acme_arena_strdup(ctl->arena, settings->declared[0].by);
        if (showing->declaration == NULL || showing->by == NULL)
            code = ctl_fail(CTL_FAILED, "out of memory");
    }
    acme_settings_free(settings);
    return code;
}

int
ctl_config_show(struct ctl *ctl)
{
    struct showing showing = { .ctl = ctl };
    struct acme_store *store = NULL;
    int code = CTL_OK;

    if (ctl->cert_name != NULL) {
        code = ctl_open_one(ctl, &store);
        if (code == CTL_OK)
            code = find_declaration(&showing, store);
        acme_store_close(store);
    } else if (ctl->state_dir == NULL) {
        ctl_find_defaults(ctl);
    }
    if (ctl->json)
        showing.list = acme_json_array();
    if (code == CTL_OK)
        show_all(&showing);
    acme_json_free(showing.declaration);
    if (code == CTL_OK && showing.list != NULL)
        return ctl_print_json(showing.list);
    acme_json_free(showing.list);
    return code;
}

/* ---- test ------------------------------------------------------------- */

struct testing {
    struct ctl *ctl;
    struct acme_store *store;
    const char *state_dir;
    struct acme_json *problems, *states;
    size_t nlineages, nservers;
};

static void
tell(const struct testing *testing, const char *name,
    const struct acme_error *err)
{
    (void)ctl_fail(CTL_FAILED, "%s/renewal/%s.json: %s", testing->state_dir,
        name, err->what);
}

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

static enum acme_rc
test_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct testing *testing = ctx;
    struct acme_settings *settings = NULL;
    struct acme_config *config =
        acme_config_new(testing->state_dir, "acmectl", "config test");
    struct acme_error own;
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
    for (i = 0; settings != NULL && i < settings->ndeclared; i++)
        test_declaration(testing, name, &settings->declared[i]);
    acme_settings_free(settings);
    acme_config_free(config);
    return ACME_OK;
}

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

static void
test_state(struct testing *testing, const char *state_dir)
{
    struct acme_json *one;
    struct acme_error err;

    testing->state_dir = state_dir;
    testing->nlineages = testing->nservers = 0;
    acme_error_clear(&err);
    if (ctl_open(state_dir, &testing->store) != CTL_OK)
        return;
    if (acme_store_lineages(testing->store, test_lineage, testing, &err) !=
            ACME_OK ||
        acme_control_servers(acme_store_fd(testing->store), test_server,
            testing, &err) != ACME_OK)
        (void)ctl_fail(CTL_FAILED, "%s: %s", state_dir, err.what);
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
        if (ctl_ini_read(ctl) == CTL_OK)
            (void)ctl_wish_make(ctl, NULL, &ignored);
    }
    if (ctl->state_dir != NULL)
        (void)ctl_find_states(ctl);
    else
        ctl_find_defaults(ctl);
    for (i = 0; i < ctl->nstates; i++)
        test_state(testing, ctl->state[i]);
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
    testing->states = testing->problems = NULL;
    return ctl_print_json(json);
}

int
ctl_config_test(struct ctl *ctl)
{
    struct testing testing = { .ctl = ctl };
    int code;

    testing.problems = acme_json_array();
    testing.states = acme_json_array();
    if (testing.problems == NULL || testing.states == NULL) {
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
    acme_json_free(testing.problems);
    acme_json_free(testing.states);
    return code;
}
