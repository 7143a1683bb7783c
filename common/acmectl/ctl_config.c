/*
 * config show: what each option is, and who has said so.
 */
#include "acmectl/ctl_kept.h"
#include "acmectl/ctl_wish.h"

#include <stdio.h>
#include <string.h>

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
