#include "drive/acme_batch.h"

#include <stdlib.h>
#include <string.h>

/* Names of so many certificates that nobody reads them are cut off. */
#define NAMES_MAX ((size_t)128 * 1024)

struct acme_batch {
    size_t nunits;
    bool *begun; /* of each unit */
    size_t open;
    struct acme_arena *arena;   /* of what follows */
    struct acme_stage_list pre; /* that were run */
    struct acme_stage_list post;
    struct acme_buf renewed, failed;
};

struct acme_batch *
acme_batch_new(size_t nunits)
{
    struct acme_batch *batch = calloc(1, sizeof(*batch));

    if (batch == NULL)
        return NULL;
    batch->nunits = nunits;
    batch->begun = calloc(nunits + 1, sizeof(*batch->begun));
    batch->arena = acme_arena_new();
    acme_buf_init(&batch->renewed, NAMES_MAX);
    acme_buf_init(&batch->failed, NAMES_MAX);
    if (batch->begun == NULL || batch->arena == NULL) {
        acme_batch_free(batch);
        return NULL;
    }
    return batch;
}

void
acme_batch_free(struct acme_batch *batch)
{
    if (batch == NULL)
        return;
    acme_buf_clear(&batch->renewed);
    acme_buf_clear(&batch->failed);
    acme_arena_free(batch->arena);
    free(batch->begun);
    free(batch);
}

static bool
has(const struct acme_stage_list *list, const struct acme_stage_hook *hook)
{
    size_t i;

    for (i = 0; i < list->n; i++)
        if (list->hook[i].file == hook->file &&
            acme_hook_equal(&list->hook[i].hook, &hook->hook))
            return true;
    return false;
}

/* False: out of memory. */
static bool
copy_hook(struct acme_arena *arena, struct acme_stage_hook *to,
    const struct acme_stage_hook *from)
{
    size_t i;

    *to = *from;
    to->text = acme_arena_strdup(arena, from->text);
    for (i = 0; i < from->hook.nwords; i++) {
        to->hook.word[i] = acme_arena_strdup(arena, from->hook.word[i]);
        if (to->hook.word[i] == NULL)
            return false;
    }
    return to->text != NULL;
}

/* Those that `to` does not have yet go behind it. */
static enum acme_rc
add_new(struct acme_arena *arena, struct acme_stage_list *to,
    const struct acme_stage_list *from, struct acme_error *err)
{
    struct acme_stage_hook *wider;
    size_t i, n = to->n;

    wider = acme_arena_alloc(arena, (to->n + from->n + 1) * sizeof(*wider));
    if (wider == NULL)
        return acme_error_nomem(err);
    if (n > 0)
        memcpy(wider, to->hook, n * sizeof(*wider));
    for (i = 0; i < from->n; i++) {
        const struct acme_stage_list all = { n, wider };

        if (!has(&all, &from->hook[i]) &&
            !copy_hook(arena, &wider[n++], &from->hook[i]))
            return acme_error_nomem(err);
    }
    to->hook = wider;
    to->n = n;
    return ACME_OK;
}

enum acme_rc
acme_batch_begin(struct acme_batch *batch, uint32_t unit,
    struct acme_stage_list *list, struct acme_error *err)
{
    size_t i, kept = 0;
    enum acme_rc rc;

    for (i = 0; i < list->n && !batch->begun[unit]; i++)
        if (!has(&batch->pre, &list->hook[i]))
            list->hook[kept++] = list->hook[i];
    list->n = kept;
    rc = kept > 0 ? add_new(batch->arena, &batch->pre, list, err) : ACME_OK;
    if (rc == ACME_OK && !batch->begun[unit]) {
        batch->begun[unit] = true;
        batch->open++;
    }
    return rc;
}

static void
add_names(struct acme_buf *to, const struct acme_lineage *lineage)
{
    size_t i;

    for (i = 0; i < lineage->nnames; i++) {
        if (to->len + strlen(lineage->names[i]) + 2 > NAMES_MAX)
            return;
        if (to->len > 0)
            acme_buf_add_str(to, " ");
        acme_buf_add_str(to, lineage->names[i]);
    }
}

enum acme_rc
acme_batch_end(struct acme_batch *batch, uint32_t unit,
    const struct acme_lineage *lineage, const struct acme_stage_list *list,
    bool failed, struct acme_error *err)
{
    if (!batch->begun[unit])
        return ACME_OK;
    batch->begun[unit] = false;
    batch->open--;
    add_names(failed ? &batch->failed : &batch->renewed, lineage);
    return list->n > 0 ? add_new(batch->arena, &batch->post, list, err)
                       : ACME_OK;
}

bool
acme_batch_has_begun(const struct acme_batch *batch, uint32_t unit)
{
    return batch->begun[unit];
}

bool
acme_batch_is_open(const struct acme_batch *batch)
{
    return batch->open > 0;
}

void
acme_batch_take(const struct acme_batch *batch, struct acme_batch_end *end)
{
    end->list = batch->post;
    end->renewed =
        batch->renewed.len > 0 ? acme_buf_str(&batch->renewed) : NULL;
    end->failed = batch->failed.len > 0 ? acme_buf_str(&batch->failed) : NULL;
}
