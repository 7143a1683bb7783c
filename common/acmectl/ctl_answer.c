#include "acmectl/ctl_answer.h"

#include <string.h>

#include "acmectl/ctl_options.h"

#define STANDALONE_WORDS 5

struct choice {
    enum acme_answerer by;
    const char *option; /* that has named it; NULL: none has */
};

/* ---- which one -------------------------------------------------------- */

static enum acme_answerer
find_answerer(const char *name)
{
    enum acme_answerer by = ACME_ANSWERER_SERVER;

    while (by < ACME_ANSWERER_MANUAL &&
           !ctl_has_word(name, acme_answerer_name(by),
               strlen(acme_answerer_name(by))))
        by++;
    return by;
}

static int
choose(struct choice *choice, bool named, enum acme_answerer by,
    const char *option)
{
    if (!named || (choice->option != NULL && choice->by == by))
        return CTL_OK;
    if (choice->option != NULL)
        return ctl_fail(CTL_USAGE,
            "%s and %s name two ways to prove the names; give one of them",
            choice->option, option);
    choice->by = by;
    choice->option = option;
    return CTL_OK;
}

static int
find_choice(const struct ctl *ctl, struct choice *choice)
{
    int code = choose(choice, ctl->standalone, ACME_ANSWERER_STANDALONE,
        "--standalone");

    if (code == CTL_OK)
        code =
            choose(choice, ctl->webroot, ACME_ANSWERER_WEBROOT, "--webroot");
    if (code == CTL_OK)
        code = choose(choice, ctl_webroot_is_named(ctl), ACME_ANSWERER_WEBROOT,
            ctl->webroots.n > 0 ? "--webroot-path" : "--webroot-map");
    if (code == CTL_OK)
        code = choose(choice, ctl->manual, ACME_ANSWERER_MANUAL, "--manual");
    if (code == CTL_OK && ctl->authenticator != NULL)
        code = choose(choice, true, find_answerer(ctl->authenticator),
            "--authenticator");
    return code;
}

/* ---- what it is given ------------------------------------------------- */

static bool
has_places(const struct ctl *ctl)
{
    return ctl->http_port != 0 || ctl->tls_port != 0 ||
           ctl->http_address != NULL || ctl->tls_address != NULL;
}

/* What is not said stays as it was kept. */
static int
standalone_words(struct ctl *ctl, const struct acme_answer *kept,
    const char *word[STANDALONE_WORDS], size_t *n)
{
    const unsigned http = ctl->http_port != 0 ? (unsigned)ctl->http_port
                                              : kept->http_port,
                   tls = ctl->tls_port != 0 ? (unsigned)ctl->tls_port
                                            : kept->tls_port;
    const char *http_address = ctl->http_address != NULL ? ctl->http_address
                                                         : kept->http_address,
               *tls_address = ctl->tls_address != NULL ? ctl->tls_address
                                                       : kept->tls_address;
    struct acme_arena *arena = ctl->arena;
    size_t i;

    if (http != 0)
        word[(*n)++] = acme_arena_printf(arena, "http=%u", http);
    if (http_address != NULL)
        word[(*n)++] =
            acme_arena_printf(arena, "http-address=%s", http_address);
    if (tls != 0)
        word[(*n)++] = acme_arena_printf(arena, "tls=%u", tls);
    if (tls_address != NULL)
        word[(*n)++] = acme_arena_printf(arena, "tls-address=%s", tls_address);
    for (i = 0; i < *n; i++)
        if (word[i] == NULL)
            return ctl_fail(CTL_FAILED, "out of memory");
    return CTL_OK;
}

static int
put_words(struct acme_proof *proof, const char *const *word, size_t n)
{
    struct acme_error err;

    acme_error_clear(&err);
    return acme_proof_set(proof, ACME_PROOF_ANSWER, word, n, NULL, NULL,
               &err) == ACME_OK
               ? CTL_OK
               : ctl_fail(CTL_USAGE, "%s", err.what);
}

static int
put_webroot(struct ctl *ctl, struct acme_proof *proof)
{
    const char *const *word = NULL;
    size_t n = 0;
    int code;

    if (!ctl_webroot_is_named(ctl))
        return proof->answer.by == ACME_ANSWERER_WEBROOT
                   ? CTL_OK
                   : ctl_fail(CTL_USAGE,
                         "--webroot needs the directory that a web server "
                         "shows, with --webroot-path (-w) or --webroot-map");
    code = ctl_webroot_words(ctl, &word, &n);
    return code == CTL_OK ? put_words(proof, word, n) : code;
}

static int
put_choice(struct ctl *ctl, enum acme_answerer by, struct acme_proof *proof)
{
    const struct acme_answer none = { .by = ACME_ANSWERER_SERVER };
    const char *word[STANDALONE_WORDS] = { acme_answerer_name(by) };
    size_t n = 1;
    int code = CTL_OK;

    if (by == ACME_ANSWERER_WEBROOT)
        return put_webroot(ctl, proof);
    if (by == ACME_ANSWERER_STANDALONE)
        code = standalone_words(ctl,
            proof->answer.by == by ? &proof->answer : &none, word, &n);
    return code == CTL_OK ? put_words(proof, word, n) : code;
}

int
ctl_answer_take(struct ctl *ctl, struct acme_proof *proof)
{
    struct choice choice = { .by = proof->answer.by };
    int code = find_choice(ctl, &choice);

    if (code != CTL_OK)
        return code;
    if (has_places(ctl) && choice.by != ACME_ANSWERER_STANDALONE)
        return ctl_fail(CTL_USAGE,
            "--http-01-port, --http-01-address, --tls-alpn-01-port and "
            "--tls-alpn-01-address go with --standalone");
    if (choice.option != NULL || has_places(ctl))
        code = put_choice(ctl, choice.by, proof);
    if (code == CTL_OK && acme_proof_is_by_hand(proof) && !ctl_may_ask(ctl))
        code = ctl_fail(CTL_USAGE,
            "--manual needs a person at a terminal, or a program that does "
            "it, with --manual-auth-hook");
    return code;
}
