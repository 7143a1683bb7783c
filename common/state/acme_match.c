#include "state/acme_match.h"

#include "base/acme_text.h"

bool
acme_match_covers(const struct acme_match_names *whole,
    const struct acme_match_names *part)
{
    size_t i;

    for (i = 0; i < part->n; i++)
        if (!acme_text_in(whole->name, whole->n, part->name[i]))
            return false;
    return true;
}

static enum acme_match_kind
judge(const struct acme_match_names *has,
    const struct acme_match_names *wanted, bool is_named)
{
    bool covers = acme_match_covers(wanted, has);

    if (covers && has->n == wanted->n)
        return ACME_MATCH_SAME;
    if (is_named)
        return wanted->n == 0 ? ACME_MATCH_SAME : ACME_MATCH_OTHER;
    return covers && has->n > 0 ? ACME_MATCH_EXPANDS : ACME_MATCH_NEW;
}

void
acme_match_look(struct acme_match *match, size_t index,
    const struct acme_match_names *has, const struct acme_match_names *wanted,
    bool named, bool is_named)
{
    enum acme_match_kind kind;

    if (named && !is_named)
        return;
    kind = judge(has, wanted, is_named);
    if (kind == ACME_MATCH_NEW || match->kind == ACME_MATCH_SAME ||
        match->kind == ACME_MATCH_OTHER ||
        (kind == match->kind && has->n <= match->nnames))
        return;
    match->kind = kind;
    match->index = index;
    match->nnames = has->n;
}
