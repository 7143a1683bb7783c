/*
 * The CAs that servers have: of those that run out of what they say of
 * themselves, else out of the lineages' settings.
 */
#include "acmectl/ctl.h"

#include <string.h>

#include "drive/acme_control.h"
#include "state/acme_settings.h"

/* ---- declared --------------------------------------------------------- */

struct visitor {
    struct acme_store *store;
    ctl_visit_issuer *visit;
    void *ctx;
};

static enum acme_rc
visit_lineage(void *ctx, const char *name, struct acme_error *err)
{
    const struct visitor *visitor = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i, k;

    acme_error_clear(&ignored);
    if (acme_store_settings_read(visitor->store, name, &settings, &ignored) !=
        ACME_OK)
        return ACME_OK;
    for (i = 0; i < settings->ndeclared && rc == ACME_OK; i++) {
        const struct acme_declaration *by = &settings->declared[i];

        rc = visitor->visit(visitor->ctx, &by->issuer, err);
        for (k = 0; k < by->nfallbacks && rc == ACME_OK; k++)
            rc = visitor->visit(visitor->ctx, &by->fallback[k], err);
    }
    acme_settings_free(settings);
    return rc;
}

enum acme_rc
ctl_each_issuer(struct acme_store *store, ctl_visit_issuer *visit, void *ctx,
    struct acme_error *err)
{
    struct visitor visitor = { store, visit, ctx };

    return acme_store_lineages(store, visit_lineage, &visitor, err);
}

/* ---- by name ---------------------------------------------------------- */

struct search {
    struct ctl *ctl;
    struct ctl_words *names; /* of all there are */
    struct acme_issuer *found;
    bool several; /* CAs of that name */
};

static enum acme_rc
add_name(struct search *search, const char *name, struct acme_error *err)
{
    struct ctl_words *names = search->names;
    size_t i;

    for (i = 0; i < names->n; i++)
        if (strcmp(names->word[i], name) == 0)
            return ACME_OK;
    if (names->n == CTL_WORDS_MAX || strstr(name, "://") != NULL)
        return ACME_OK;
    names->word[names->n] = acme_arena_strdup(search->ctl->arena, name);
    return names->word[names->n++] != NULL ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
look_at(void *ctx, const struct acme_issuer *issuer, struct acme_error *err)
{
    struct search *search = ctx;
    struct acme_arena *arena = search->ctl->arena;

    if (strcmp(issuer->name, search->ctl->server) != 0)
        return add_name(search, issuer->name, err);
    if (search->found != NULL) {
        search->several = search->several || strcmp(search->found->directory,
                                                 issuer->directory) != 0;
        return ACME_OK;
    }
    search->found = acme_arena_alloc(arena, sizeof(*search->found));
    if (search->found == NULL ||
        !acme_issuer_copy(arena, search->found, issuer))
        return acme_error_nomem(err);
    /* A key that is written in the configuration is in no file here. */
    if (search->found->eab_file == NULL)
        search->found->eab_kid = search->found->eab_alg = NULL;
    return ACME_OK;
}

/* What is malformed is a server's of another version. */
static enum acme_rc
look_at_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    const struct search *search = ctx;
    struct acme_issuer issuer;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < acme_json_count(server->issuers) && rc == ACME_OK; i++) {
        acme_error_clear(&ignored);
        if (acme_issuer_parse(search->ctl->arena,
                acme_json_at(server->issuers, i), &issuer,
                &ignored) == ACME_OK)
            rc = look_at(ctx, &issuer, err);
    }
    return rc;
}

bool
ctl_server_is_name(const char *word)
{
    return word != NULL && strstr(word, "://") == NULL &&
           acme_issuer_directory(word) == NULL;
}

enum acme_rc
ctl_server_find(struct ctl *ctl, struct acme_store *store,
    struct ctl_words *names, bool *several, struct acme_error *err)
{
    struct search search = { ctl, names, NULL, false };
    enum acme_rc rc;

    rc = acme_control_servers(acme_store_fd(store), look_at_server, &search,
        err);
    if (rc == ACME_OK)
        rc = ctl_each_issuer(store, look_at, &search, err);
    *several = search.several;
    if (rc == ACME_OK && search.found == NULL)
        return ACME_NOENT;
    ctl->issuer = search.found;
    return rc;
}

static const char *
list_names(struct ctl *ctl, const struct ctl_words *names)
{
    const char *text = NULL;
    size_t i;

    for (i = 0; i < names->n; i++)
        text = acme_arena_printf(ctl->arena, "%s%s\"%s\"",
            text != NULL ? text : "", text != NULL ? ", " : "",
            names->word[i]);
    return text != NULL ? text : "none";
}

int
ctl_server_unknown(struct ctl *ctl, const char *word,
    const struct ctl_words *names)
{
    return ctl_fail(CTL_USAGE,
        "--server \"%s\" is no URL, none of %s, and no issuer that a server "
        "or a lineage here has; those are: %s",
        word, acme_issuer_short_names, list_names(ctl, names));
}

int
ctl_server_known(struct ctl *ctl, struct acme_store *store)
{
    struct ctl_words names = { 0 };
    struct acme_error err;
    bool several;
    enum acme_rc rc;

    if (!ctl_server_is_name(ctl->server))
        return CTL_OK;
    acme_error_clear(&err);
    rc = ctl_server_find(ctl, store, &names, &several, &err);
    if (rc == ACME_NOENT)
        return ctl_server_unknown(ctl, ctl->server, &names);
    if (rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (several)
        return ctl_fail(CTL_USAGE,
            "--server \"%s\" is the name of several CAs here: name the URL "
            "of the one that is meant",
            ctl->server);
    ctl->server = ctl->issuer->directory;
    return CTL_OK;
}
