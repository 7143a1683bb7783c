/*
 * Thumbprints of account keys: of those in state directories, and of files of
 * the operator's, for whoever is to answer without the key.
 */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_buf.h"
#include "state/acme_dir.h"
#include "state/acme_store.h"
#include "wrap/acme_key.h"

struct thumbprints {
    struct acme_json *list; /* or NULL: print */
    const char *where;      /* "id" or "file": what tells keys apart */
};

static enum acme_rc
show(void *ctx, const char *place, const struct acme_key *key,
    struct acme_error *err)
{
    struct thumbprints *out = ctx;
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_json *one;
    enum acme_rc rc = acme_key_thumbprint(key, thumbprint, err);

    if (rc != ACME_OK)
        return rc;
    if (out->list == NULL) {
        (void)printf("%s  %s  %s\n", thumbprint,
            acme_key_type_name(acme_key_type_of(key)), place);
        return ACME_OK;
    }
    one = acme_json_object();
    acme_json_set_str(one, "thumbprint", thumbprint);
    acme_json_set_str(one, "key", acme_key_type_name(acme_key_type_of(key)));
    acme_json_set_str(one, out->where, place);
    acme_json_append(out->list, one);
    return ACME_OK;
}

static int
show_states(struct ctl *ctl, struct thumbprints *out)
{
    struct acme_store *store = NULL;
    int code = ctl_find_states(ctl);
    struct acme_error err;
    size_t i;

    for (i = 0; code == CTL_OK && i < ctl->nstates; i++) {
        code = ctl_open(ctl->state[i], &store);
        acme_error_clear(&err);
        if (code == CTL_OK &&
            acme_store_keys(store, show, out, &err) != ACME_OK)
            code = ctl_fail(CTL_FAILED, "cannot read keys: %s", err.what);
        acme_store_close(store);
        store = NULL;
    }
    return code;
}

static int
show_file(const char *path, struct thumbprints *out)
{
    char *whole = realpath(path, NULL);
    struct acme_key *key = NULL;
    struct acme_buf text;
    struct acme_error err;
    enum acme_rc rc;

    if (whole == NULL)
        return ctl_fail(CTL_FAILED, "there is no file \"%s\"", path);
    acme_error_clear(&err);
    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    rc = acme_dir_read_secret(whole, geteuid(), ACME_STATE_PEM_MAX, &text,
        &err);
    if (rc == ACME_OK)
        rc = acme_key_from_text(acme_buf_str(&text), text.len, &key, &err);
    if (rc == ACME_OK)
        rc = show(out, path, key, &err);
    acme_buf_clear(&text);
    acme_key_unref(key);
    free(whole);
    return rc == ACME_OK ? CTL_OK
                         : ctl_fail(CTL_FAILED, "account key \"%s\": %s", path,
                               err.what);
}

int
ctl_key_thumbprint(struct ctl *ctl)
{
    struct thumbprints out = { NULL, ctl->argc > 0 ? "file" : "id" };
    int code = CTL_OK, i;

    if (ctl->json)
        out.list = acme_json_array();
    if (ctl->argc == 0)
        code = show_states(ctl, &out);
    for (i = 0; code == CTL_OK && i < ctl->argc; i++)
        code = show_file(ctl->argv[i], &out);
    if (code == CTL_OK && ctl->json)
        return ctl_print_json(out.list);
    acme_json_free(out.list);
    return code;
}
