#include "acmectl/ctl_kept.h"

#include <string.h>

/*
 * An option, and the member of a declaration that is it.  A flag is given
 * where the member has that value.  `beside`: that option is another way to
 * say it, and is not what the member is called.
 */
static const struct row {
    const char *option, *object, *member, *flag;
    bool beside;
} rows[] = {
    { "domains", NULL, "names", NULL, false },
    { "server", "issuer", "directory", NULL, false },
    { "email", "issuer", "contact", NULL, false },
    { "agree-tos", "issuer", "terms_accepted", "true", false },
    { "eab-kid", "issuer", "eab_kid", NULL, false },
    { "eab-file", "issuer", "eab_file", NULL, false },
    { "eab-alg", "issuer", "eab_alg", NULL, false },
    { "ca-file", "issuer", "ca_file", NULL, false },
    { "no-verify-ssl", "issuer", "verify", "false", false },
    { "preferred-chain", "issuer", "preferred_chain", NULL, false },
    { "profile", "issuer", "profile", NULL, false },
    { "required-profile", "issuer", "profile", NULL, true },
    { "key-type", NULL, "keys", NULL, false },
    { "reuse-key", NULL, "reuse_key", "true", false },
    { "must-staple", NULL, "must_staple", "true", false },
    { "allow-subset-of-names", NULL, "allow_subset", "true", false },
    { "preferred-challenges", "proof", "challenge", NULL, false },
    { "challenge-cmd", "proof", "command", NULL, false },
    { "challenge-cmd", "proof", "dns_update", NULL, true },
    { "manual-auth-hook", "proof", "command", NULL, true },
    { "manual-auth-hook", "proof", "dns_update", NULL, true },
    { "manual-cleanup-hook", "proof", "command", NULL, true },
    { "manual-cleanup-hook", "proof", "dns_update", NULL, true },
    { "dns-update", "proof", "dns_update", NULL, false },
    { "dns-update", "proof", "command", NULL, true },
    { "dns-propagation", "proof", "dns_propagation", NULL, false },
    { "authenticator", "proof", "answer", NULL, false },
    { "standalone", "proof", "answer", NULL, true },
    { "http-01-port", "proof", "answer", NULL, true },
    { "http-01-address", "proof", "answer", NULL, true },
    { "tls-alpn-01-port", "proof", "answer", NULL, true },
    { "tls-alpn-01-address", "proof", "answer", NULL, true },
    { "webroot", "proof", "answer", NULL, true },
    { "webroot-path", "proof", "answer", NULL, true },
    { "webroot-map", "proof", "answer", NULL, true },
    { "manual", "proof", "answer", NULL, true },
    { "preflight", "proof", "preflight", NULL, false },
    { "pre-hook", "hooks", "pre", NULL, false },
    { "deploy-hook", "hooks", "deploy", NULL, false },
    { "post-hook", "hooks", "post", NULL, false },
    { "no-directory-hooks", "hooks", "directories", "off", false },
    { "disable-hook-validation", "hooks", "validation", "off", false },
    { "no-autorenew", "timing", "mode", "manual", false },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_of(const struct row *row, const struct ctl_option *option)
{
    return strcmp(row->option, option->name) == 0;
}

bool
ctl_kept_is(const struct ctl_option *option)
{
    size_t i;

    for (i = 0; i < COUNT(rows); i++)
        if (is_of(&rows[i], option))
            return true;
    return false;
}

/* Words with spaces between, lists with commas. */
static void
add_text(const struct acme_json *value, struct acme_buf *text)
{
    const char *word = acme_json_text(value);
    size_t i;

    if (word != NULL)
        acme_buf_addf(text, "%s%s", text->len > 0 ? " " : "", word);
    for (i = 0; i < acme_json_count(value); i++)
        add_text(acme_json_at(value, i), text);
}

static const char *
flag_text(const struct acme_json *object, const struct row *row)
{
    const char *word = acme_json_str(object, row->member);

    if (word == NULL)
        word =
            acme_json_bool(object, row->member, strcmp(row->flag, "true") != 0)
                ? "true"
                : "false";
    return strcmp(word, row->flag) == 0 ? "true" : NULL;
}

/* NULL: nothing. */
static const char *
value_of(const struct acme_json *declaration, const struct row *row,
    struct acme_arena *arena)
{
    const struct acme_json *object =
        row->object != NULL ? acme_json_get(declaration, row->object)
                            : declaration;
    struct acme_buf text;
    const char *found = NULL;

    if (object == NULL)
        return NULL;
    if (row->flag != NULL)
        return flag_text(object, row);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    add_text(acme_json_get(object, row->member), &text);
    if (acme_buf_ok(&text) && text.len > 0)
        found = acme_arena_strndup(arena, acme_buf_str(&text), text.len);
    acme_buf_clear(&text);
    return found;
}

const char *
ctl_kept_text(const struct acme_json *declaration,
    const struct ctl_option *option, struct acme_arena *arena)
{
    size_t i;

    for (i = 0; i < COUNT(rows); i++)
        if (is_of(&rows[i], option) && !rows[i].beside)
            return value_of(declaration, &rows[i], arena);
    return NULL;
}

/* A flag that both have is the same either way. */
int
ctl_kept_first(struct ctl *ctl, const struct acme_declaration *kept)
{
    struct acme_json *declaration = acme_declaration_render(kept);
    const struct ctl_option *option;
    size_t i;

    if (declaration == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    for (i = 0; i < COUNT(rows); i++) {
        option = ctl_option_find(rows[i].option, strlen(rows[i].option));
        if (rows[i].flag == NULL && ctl_option_is_of_file(ctl, option) &&
            value_of(declaration, &rows[i], ctl->arena) != NULL)
            ctl_option_forget(ctl, option);
    }
    acme_json_free(declaration);
    return CTL_OK;
}
