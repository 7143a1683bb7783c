#include "drive/acme_lists.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char *url;
    struct acme_crl *crl; /* NULL: none */
    time_t until;
};

struct acme_lists {
    size_t n, size;
    struct entry entry[ACME_CRLS_MAX];
};

struct acme_lists *
acme_lists_new(void)
{
    return calloc(1, sizeof(struct acme_lists));
}

static void
drop(struct acme_lists *lists, struct entry *entry)
{
    if (entry->crl != NULL)
        lists->size -= acme_crl_size(entry->crl);
    acme_crl_free(entry->crl);
    free(entry->url);
    *entry = lists->entry[--lists->n];
}

void
acme_lists_free(struct acme_lists *lists)
{
    if (lists == NULL)
        return;
    while (lists->n > 0)
        drop(lists, &lists->entry[0]);
    free(lists);
}

/* What is over makes room, then what is over first. */
static void
make_room(struct acme_lists *lists, size_t size)
{
    struct entry *first;
    size_t i;

    while (lists->n > 0 && (lists->n == ACME_CRLS_MAX ||
                               lists->size + size > ACME_CRLS_SIZE_MAX)) {
        first = &lists->entry[0];
        for (i = 1; i < lists->n; i++)
            if (lists->entry[i].until < first->until)
                first = &lists->entry[i];
        drop(lists, first);
    }
}

void
acme_lists_keep(struct acme_lists *lists, const char *url,
    struct acme_crl *crl, time_t until)
{
    size_t size = crl != NULL ? acme_crl_size(crl) : 0;
    char *copy = strdup(url);

    make_room(lists, size);
    if (copy == NULL) {
        acme_crl_free(crl);
        return;
    }
    lists->entry[lists->n++] = (struct entry){ copy, crl, until };
    lists->size += size;
}

/* What is over is dropped on the way. */
bool
acme_lists_find(struct acme_lists *lists, const char *url,
    const struct acme_chain *chain, time_t now, struct acme_listed *out)
{
    size_t i = 0;

    while (i < lists->n) {
        struct entry *entry = &lists->entry[i];

        if (entry->until <= now) {
            drop(lists, entry);
        } else if (strcmp(entry->url, url) == 0 &&
                   (entry->crl == NULL ||
                       acme_crl_is_for(entry->crl, chain))) {
            *out = (struct acme_listed){ entry->crl, entry->until };
            return true;
        } else {
            i++;
        }
    }
    return false;
}
