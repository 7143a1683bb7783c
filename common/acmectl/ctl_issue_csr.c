/*
 * issue --csr: a certificate for somebody else's key, into files that the
 * caller names.  While it is at work there is a lineage, so that an order
 * which was interrupted goes on, and a certificate is not lost that could not
 * be written; then it is gone, but for what has happened to it.
 */
#include "acmectl/ctl_issue.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acmectl/ctl_answer.h"
#include "acmectl/ctl_delete.h"
#include "acmectl/ctl_file.h"
#include "acmectl/ctl_order.h"
#include "drive/acme_host_check.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_hash.h"

#define HASH_LEN 16 /* of a request, in the name of its lineage */

/* Of names that are made here: 0000_cert.pem, 0001_cert.pem, ... */
#define NUMBERS_MAX 10000

enum result {
    RESULT_CERT,
    RESULT_CHAIN,
    RESULT_FULLCHAIN,
    RESULTS
};

static const char *const results[RESULTS] = { "cert", "chain", "fullchain" };

struct request {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_csr *csr;
    const char *pem, *path; /* of the request, whole */
    const char **names;
    char name[ACME_LINEAGE_MAX + 1];
    struct ctl_wish wish;
    const char *file[RESULTS];
    int fd[RESULTS]; /* new files; -1: none */
};

/* ---- what is asked for ------------------------------------------------ */

static int
check_usage(const struct ctl *ctl)
{
    const struct {
        bool given;
        const char *option, *why;
    } not_with[] = {
        { ctl->cert_name != NULL, "cert-name", "no lineage is kept" },
        { ctl->allow_subset, "allow-subset-of-names",
            "the request has all of its names" },
        { ctl->keys.n > 0, "key-type", "its key is in the request" },
        { ctl->reuse_key, "reuse-key", "its key is in the request" },
        { ctl->must_staple, "must-staple", "the request says that" },
        { ctl->deploy_hook != NULL, "deploy-hook",
            "nothing is kept that it could be told of; run it afterwards" },
        { ctl->duplicate, "duplicate", "no lineage is kept" },
        { ctl->expand, "expand", "no lineage is kept" },
        { ctl->renew_with_new_domains, "renew-with-new-domains",
            "no lineage is kept" },
    };
    size_t i;

    for (i = 0; i < sizeof(not_with) / sizeof(not_with[0]); i++)
        if (not_with[i].given)
            return ctl_fail(CTL_USAGE, "--%s does not go with --csr: %s",
                not_with[i].option, not_with[i].why);
    return CTL_OK;
}

static int
refuse(const struct request *request, const struct acme_error *err)
{
    return ctl_fail(CTL_USAGE, "--csr \"%s\": %s", request->ctl->csr,
        err->what);
}

/* As we would not read it again, it may be anywhere. */
static int
read_request(struct request *request)
{
    struct ctl *ctl = request->ctl;
    struct acme_error err;
    struct acme_buf text, pem;
    int code;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_STATE_PEM_MAX);
    acme_buf_init(&pem, ACME_STATE_PEM_MAX);
    code = ctl_file_read(ctl->csr, false, ACME_STATE_PEM_MAX, &text);
    if (code == CTL_OK &&
        (acme_csr_parse(acme_buf_str(&text), text.len, &request->csr, &err) !=
                ACME_OK ||
            acme_csr_to_pem(request->csr, &pem, &err) != ACME_OK))
        code = refuse(request, &err);
    if (code == CTL_OK) {
        request->pem = acme_arena_strdup(ctl->arena, acme_buf_str(&pem));
        if (request->pem == NULL)
            code = ctl_fail(CTL_FAILED, "out of memory");
    }
    acme_buf_clear(&text);
    acme_buf_clear(&pem);
    return code;
}

static int
take_names(struct request *request)
{
    struct ctl *ctl = request->ctl;
    const size_t n = acme_csr_nnames(request->csr);
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    if (ctl->domains.n > 0 &&
        acme_csr_check_names(request->csr, ctl->domains.word, ctl->domains.n,
            &err) != ACME_OK)
        return refuse(request, &err);
    request->names =
        acme_arena_alloc(ctl->arena, (n + 1) * sizeof(request->names[0]));
    if (request->names == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    for (i = 0; i < n; i++)
        request->names[i] = acme_csr_name(request->csr, i);
    return CTL_OK;
}

/* The same request has the same lineage. */
static int
name_lineage(struct request *request)
{
    const struct acme_buf *der = acme_csr_der(request->csr);
    char hash[ACME_HASH_HEX];

    acme_hash_hex(der->data, der->len, hash);
    if (hash[0] == '\0')
        return ctl_fail(CTL_FAILED, "out of memory");
    (void)snprintf(request->name, sizeof(request->name), "csr-%.*s", HASH_LEN,
        hash);
    return CTL_OK;
}

static int
make_wish(struct request *request)
{
    struct acme_lineage *lineage = &request->wish.lineage;
    int code = ctl_wish_make(request->ctl, NULL, &request->wish);

    lineage->csr_file = request->path;
    lineage->csr_pem = request->pem;
    lineage->ntypes = 1;
    lineage->type[0] = acme_key_type_of(acme_csr_key(request->csr));
    lineage->must_staple = acme_csr_must_staple(request->csr);
    return code;
}

/* ---- files ------------------------------------------------------------ */

static void
give_up_files(struct request *request)
{
    size_t i;

    for (i = 0; i < RESULTS; i++)
        if (request->fd[i] != -1)
            ctl_file_give_up(request->file[i], request->fd[i]);
    for (i = 0; i < RESULTS; i++)
        request->fd[i] = -1;
}

static bool
exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* Those that are not named get the first number that none of them has. */
static int
name_files(struct request *request)
{
    struct acme_arena *arena = request->ctl->arena;
    const char *file[RESULTS];
    bool taken = true;
    size_t i, n;

    for (n = 0; taken && n < NUMBERS_MAX; n++) {
        taken = false;
        for (i = 0; i < RESULTS; i++) {
            file[i] = request->file[i];
            if (file[i] != NULL)
                continue;
            file[i] = acme_arena_printf(arena, "%04zu_%s.pem", n, results[i]);
            if (file[i] == NULL)
                return ctl_fail(CTL_FAILED, "out of memory");
            taken = taken || exists(file[i]);
        }
    }
    if (taken)
        return ctl_fail(CTL_FAILED,
            "there are %d files NNNN_cert.pem here already; name others with "
            "--cert-path, --chain-path and --fullchain-path",
            NUMBERS_MAX);
    memcpy(request->file, file, sizeof(file));
    return CTL_OK;
}

/* Before anything is ordered, and before we become the state directory's
 * owner.  Certificates are no secret. */
static int
make_files(struct request *request)
{
    int code;
    size_t i;

    if (request->ctl->dry_run)
        return CTL_OK;
    request->file[RESULT_CERT] = request->ctl->cert_path;
    request->file[RESULT_CHAIN] = request->ctl->chain_path;
    request->file[RESULT_FULLCHAIN] = request->ctl->fullchain_path;
    code = name_files(request);
    for (i = 0; i < RESULTS && code == CTL_OK; i++) {
        code = ctl_file_create(request->file[i], &request->fd[i]);
        if (code == CTL_OK && fchmod(request->fd[i], 0644) != 0)
            code = ctl_fail(CTL_FAILED, "cannot set the mode of \"%s\"",
                request->file[i]);
    }
    return code;
}

static enum acme_rc
render(enum result which, const struct acme_chain *chain, struct acme_buf *pem,
    struct acme_error *err)
{
    if (which == RESULT_CERT)
        return acme_chain_to_pem(chain, 0, 1, pem, err);
    if (which == RESULT_FULLCHAIN)
        return acme_chain_to_pem(chain, 0, 0, pem, err);
    return acme_chain_count(chain) > 1
               ? acme_chain_to_pem(chain, 1, 0, pem, err)
               : ACME_OK;
}

static int
write_file(struct request *request, enum result which,
    const struct acme_chain *chain)
{
    const int fd = request->fd[which];
    struct acme_error err;
    struct acme_buf pem;
    int code;

    acme_error_clear(&err);
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    if (render(which, chain, &pem, &err) == ACME_OK) {
        request->fd[which] = -1;
        code = ctl_file_finish(request->file[which], fd, &pem);
    } else {
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    }
    acme_buf_clear(&pem);
    return code;
}

/* What was written before one that fails goes again: the lineage still has
 * all of it. */
static int
write_files(struct request *request, const struct acme_chain *chain)
{
    int code = CTL_OK;
    size_t i, k;

    for (i = 0; i < RESULTS && code == CTL_OK; i++)
        code = write_file(request, (enum result)i, chain);
    for (k = 0; code != CTL_OK && k + 1 < i; k++)
        (void)unlink(request->file[k]);
    return code;
}

/* ---- work ------------------------------------------------------------- */

static int
deliver(struct request *request)
{
    struct acme_version version;
    struct acme_chain *chain = NULL;
    struct acme_error err;
    int code;

    acme_error_clear(&err);
    acme_version_init(&version);
    if (acme_store_live_read(request->store, request->name, &version, &err) ==
            ACME_OK &&
        acme_chain_from_der(version.pair[0].chain.data,
            version.pair[0].chain.len, &chain, &err) == ACME_OK)
        code = write_files(request, chain);
    else
        code = ctl_fail(CTL_FAILED, "%s: %s", request->name, err.what);
    acme_chain_free(chain);
    acme_version_clear(&version);
    return code;
}

static void
tell(const struct request *request, const struct ctl_order *order)
{
    struct acme_json *json = NULL, *files;
    size_t i;

    if (request->ctl->json) {
        json = acme_json_object();
        files = acme_json_object();
        for (i = 0; order->ok && i < RESULTS; i++)
            acme_json_set_str(files, results[i], request->file[i]);
        acme_json_set(json, "files", files);
    }
    ctl_order_tell(order, request->names[0], json);
    if (json != NULL || !order->ok || request->ctl->quiet ||
        request->ctl->dry_run)
        return;
    (void)printf("the certificate is in \"%s\", its issuers' in \"%s\", all "
                 "of them in \"%s\"\n",
        request->file[RESULT_CERT], request->file[RESULT_CHAIN],
        request->file[RESULT_FULLCHAIN]);
}

static int
have_issued(struct request *request)
{
    struct ctl *ctl = request->ctl;
    struct ctl_order order = { .ctl = ctl,
        .store = request->store,
        .wish = &request->wish,
        .name = request->name,
        .nnames = acme_csr_nnames(request->csr),
        .names = request->names,
        .force = ctl->force };
    char ignored[800];
    int code = ctl_order_run(&order);

    if (code == CTL_OK && !ctl->dry_run && deliver(request) != CTL_OK)
        return ctl_fail(CTL_FAILED,
            "the certificate is kept as lineage \"%s\": give the command "
            "once more, or have it with export",
            request->name);
    if (code == CTL_OK && !ctl->dry_run)
        code = ctl_delete_one(ctl, request->store, request->name, -1, ignored,
            sizeof(ignored));
    if (code == CTL_OK || !order.ok)
        tell(request, &order);
    return code;
}

int
ctl_issue_csr(struct ctl *ctl)
{
    struct request *request = acme_arena_alloc(ctl->arena, sizeof(*request));
    size_t i;
    int code;

    if (request == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    request->ctl = ctl;
    for (i = 0; i < RESULTS; i++)
        request->fd[i] = -1;
    request->path = ctl_whole_path(ctl->arena, ctl->csr);
    code = check_usage(ctl);
    if (code == CTL_OK)
        code = ctl_webroot_domains(ctl);
    if (code == CTL_OK)
        code = ctl_read_domains(ctl);
    if (code == CTL_OK)
        code = read_request(request);
    if (code == CTL_OK)
        code = take_names(request);
    if (code == CTL_OK)
        code = name_lineage(request);
    if (code == CTL_OK)
        code = make_files(request);
    if (code == CTL_OK)
        code = ctl_find_new(ctl);
    if (code == CTL_OK)
        code = ctl_open_writing(ctl, &request->store);
    if (code == CTL_OK)
        code = ctl_server_known(ctl, request->store);
    if (code == CTL_OK)
        code = make_wish(request);
    if (code == CTL_OK)
        code = have_issued(request);
    give_up_files(request);
    acme_csr_free(request->csr);
    acme_store_close(request->store);
    return code;
}
