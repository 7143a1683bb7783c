/*
 * Files of settings of other clients: whatever they say, each item is a text
 * in a section, and is found again.
 */
#include "fuzz.h"
#include "state/acme_ini.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_arena *arena = acme_arena_new();
    struct acme_ini ini = { 0, NULL };
    struct acme_error err;
    size_t i, k;

    FUZZ_CHECK(arena != NULL);
    acme_error_clear(&err);
    if (acme_ini_parse(arena, size > 0 ? (const char *)data : "", size, &ini,
            &err) != ACME_OK)
        FUZZ_CHECK(err.rc == ACME_CONFIG && ini.nitems == 0);
    for (i = 0; i < ini.nitems; i++) {
        const struct acme_ini_item *item = &ini.item[i];

        FUZZ_CHECK(item->name[0] != '\0' && item->line > 0);
        for (k = 0; k < item->nvalues; k++)
            FUZZ_CHECK(strlen(item->value[k]) <= size);
        FUZZ_CHECK(acme_ini_find(&ini, item->section, item->name) != NULL);
    }
    acme_arena_free(arena);
    return 0;
}
