#include "acmectl/ctl_order.h"
#include "acmectl/ctl_trial.h"

#include <stdio.h>

#include "state/acme_frame.h"

struct work {
    struct ctl_order *order;
    struct ctl_alone alone;
};

static void
on_done(void *ctx, size_t lineage, bool ok, const char *text)
{
    const struct work *work = ctx;
    struct ctl_order *order = work->order;

    ctl_progress_clear();
    order->ok = ok;
    (void)snprintf(order->text, sizeof(order->text), "%s", text);
    if (ok && order->ctl->dry_run)
        ctl_trial_hooks(order->ctl, order->store, work->alone.config, lineage,
            NULL);
}

static enum acme_rc
configure(struct work *work, struct acme_error *err)
{
    const struct ctl_order *order = work->order;
    struct acme_config *config = work->alone.config;
    struct acme_lineage *lineage = &order->wish->lineage;
    struct acme_issuer issuer = order->wish->issuer;
    size_t ignored;
    enum acme_rc rc =
        ctl_add_servers(order->store, config, &work->alone.servers, err);

    if (rc == ACME_OK && order->ctl->dry_run)
        rc = ctl_trial_issuer(order->ctl, &order->wish->issuer,
            order->ctl->arena, &issuer, err);
    if (rc == ACME_OK)
        rc = acme_config_add_issuer(config, &issuer, &lineage->issuer, err);
    lineage->name = order->name;
    lineage->nnames = order->nnames;
    lineage->names = order->names;
    if (rc == ACME_OK)
        rc = acme_config_add_lineage(config, lineage, &ignored, err);
    return rc;
}

int
ctl_order_run(struct ctl_order *order)
{
    struct ctl *ctl = order->ctl;
    struct work work = { .order = order };
    struct ctl_alone *alone = &work.alone;
    struct acme_error err;
    int code;

    acme_error_clear(&err);
    order->ok = false;
    order->text[0] = '\0';
    alone->progress = (struct ctl_progress){ .ctl = ctl, .what = "ordering" };
    alone->state_dir = ctl->state[0];
    alone->flags = ctl->dry_run ? ACME_RENEW_TRIAL : ACME_RENEW_ISSUE;
    if (order->force)
        alone->flags |= ACME_RENEW_FORCE;
    alone->asks = acme_proof_is_by_hand(&order->wish->proof);
    alone->done = on_done;
    alone->ctx = &work;
    alone->config = acme_config_new(ctl->state[0], "acmectl", "issue");
    if (alone->config == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    code = configure(&work, &err) == ACME_OK
               ? ctl_alone_run(alone)
               : ctl_fail(CTL_USAGE, "%s", err.what);
    acme_config_free(alone->config);
    return code == CTL_OK && !order->ok ? CTL_FAILED : code;
}

void
ctl_order_tell(const struct ctl_order *order, const char *name,
    struct acme_json *json)
{
    if (order->text[0] == '\0') {
        acme_json_free(json);
    } else if (json != NULL) {
        acme_json_set_str(json, "name", name);
        acme_json_set_bool(json, "ok", order->ok);
        acme_json_set_str(json, "text", order->text);
        (void)ctl_print_json(json);
    } else if (!order->ok) {
        (void)ctl_fail(CTL_FAILED, "%s: %s", name, order->text);
    } else if (!order->ctl->quiet) {
        (void)printf("%s: %s\n", name, order->text);
    }
}
