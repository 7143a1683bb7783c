/*
 * AutoSSL's blueprints.  A certificate is in <path>/NAME.crt with NAME.key, of
 * a server or of a storage on this machine; other machines are asked nothing.
 */
#include "acmectl/ctl_blueprint_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "acmectl/ctl_yaml.h"
#include "base/acme_name.h"

/* ---- values ----------------------------------------------------------- */

const char *
ctl_blueprint_text(const struct acme_json *object, const char *name)
{
    const char *text = acme_json_str(object, name);

    return text != NULL && text[0] != '\0' ? text : NULL;
}

const struct acme_json *
ctl_blueprint_section(const struct ctl_blueprint *r, const char *name)
{
    const struct acme_json *own = acme_json_get(r->root, name);

    return own != NULL ? own : acme_json_get(r->global, name);
}

/* "autossl.server.local.LocalServer" is on this machine. */
bool
ctl_blueprint_is_local(const struct acme_json *place)
{
    const char *type = ctl_blueprint_text(place, "type");
    const char *dot = type != NULL ? strrchr(type, '.') : NULL;

    return type != NULL &&
           strncmp(dot != NULL ? dot + 1 : type, "Local", 5) == 0;
}

/* ---- files ------------------------------------------------------------ */

/* Its path with $NAME and ${NAME} of the environment.  False: it is none, or
 * one of them is not there. */
static bool
expand(const char *text, char out[PATH_MAX])
{
    char name[256];
    const char *value;
    size_t len, n = 0;

    while (*text != '\0') {
        value = text;
        len = strcspn(text, "$");
        text += len;
        if (len == 0) {
            const bool braced = text[1] == '{';

            text += braced ? 2 : 1;
            len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                               "abcdefghijklmnopqrstuvwxyz0123456789");
            if (len == 0 || len >= sizeof(name) ||
                (braced && text[len] != '}'))
                return false;
            memcpy(name, text, len);
            name[len] = '\0';
            text += len + braced;
            value = getenv(name);
            if (value == NULL)
                return false;
            len = strlen(value);
        }
        if (n + len >= PATH_MAX)
            return false;
        memcpy(out + n, value, len);
        n += len;
    }
    out[n] = '\0';
    return out[0] == '/';
}

enum acme_rc
ctl_blueprint_open(const struct acme_json *where, char path[PATH_MAX],
    struct acme_foreign_place *place, struct acme_error *err)
{
    const char *text =
        ctl_blueprint_text(acme_json_get(where, "parameters"), "path");

    if (text == NULL)
        return acme_error_set(err, ACME_NOENT, "it has no path");
    if (!expand(text, path))
        return acme_error_set(err, ACME_CONFIG,
            "its path is not absolute, or names a variable that is not in "
            "the environment");
    return acme_foreign_file_open(path, false, place, err);
}

/* What is said there is without "/directory". */
void
ctl_blueprint_directory(const struct acme_json *ca, char out[ACME_URL_MAX])
{
    const char *base =
        ctl_blueprint_text(acme_json_get(ca, "acme_api"), "production");
    size_t len = base != NULL ? strlen(base) : 0;

    out[0] = '\0';
    while (len > 0 && base[len - 1] == '/')
        len--;
    if (len > 0 && len + sizeof("/directory") <= ACME_URL_MAX)
        (void)snprintf(out, ACME_URL_MAX, "%.*s/directory", (int)len, base);
}

/* ---- one blueprint ---------------------------------------------------- */

static enum acme_rc
load(struct ctl_blueprint *r, const char *file, struct acme_json **root,
    struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init_secret(&text, CTL_YAML_MAX);
    rc = acme_foreign_file_read(&r->place, file, &text, NULL, err);
    if (rc == ACME_OK)
        rc = ctl_yaml_parse(acme_buf_str(&text), text.len, root, err);
    acme_buf_clear(&text);
    return rc;
}

static bool
is_blueprint(const struct acme_json *root)
{
    return acme_json_is_object(acme_json_get(root, "certificate"));
}

/* What the file is called, for one that does not say. */
static const char *
stem_of(struct ctl_blueprint *r, const char *file)
{
    return acme_arena_strndup(r->foreign->arena, file,
        (size_t)(strrchr(file, '.') - file));
}

static enum acme_rc
read_blueprint(struct ctl_blueprint *r, const char *file)
{
    struct acme_json *root = NULL;
    struct acme_error why;
    const char *name = stem_of(r, file);
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = load(r, file, &root, &why);
    if (rc == ACME_OK && !is_blueprint(root)) {
        acme_json_free(root);
        return ACME_OK;
    }
    if (rc == ACME_OK && ctl_blueprint_text(root, "name") != NULL)
        name = ctl_blueprint_text(root, "name");
    if (rc != ACME_NOMEM && name != NULL &&
        acme_foreign_is_wanted(r->wanted, name)) {
        r->root = root;
        r->lineage = acme_foreign_add(r->foreign, name, file);
        if (r->lineage == NULL)
            r->nomem = true;
        else if (rc != ACME_OK)
            acme_foreign_spoil(r->foreign, r->lineage, why.what);
        else
            ctl_blueprint_take(r);
        r->root = NULL;
    }
    acme_json_free(root);
    return rc == ACME_NOMEM || name == NULL || r->nomem
               ? acme_error_nomem(r->err)
               : ACME_OK;
}

/* ---- all of them ------------------------------------------------------ */

static bool
is_yaml(const char *file)
{
    const char *dot = strrchr(file, '.');

    return dot != NULL && dot != file &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* A file that is no use may be anything; it is told of where it counts. */
static enum acme_rc
find_global(struct ctl_blueprint *r, const char *file)
{
    struct acme_json *root = NULL;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&ignored);
    if (load(r, file, &root, &ignored) == ACME_NOMEM)
        return acme_error_nomem(r->err);
    if (root == NULL || is_blueprint(root)) {
        acme_json_free(root);
    } else if (r->global != NULL) {
        rc = acme_error_set(r->err, ACME_CONFIG,
            "there are two files without a \"certificate\", \"%.200s\" and "
            "\"%.200s\"; one alone can be the global configuration",
            r->global_file, file);
        acme_json_free(root);
    } else {
        r->global = root;
        (void)snprintf(r->global_file, sizeof(r->global_file), "%s", file);
    }
    return rc;
}

static enum acme_rc
each(struct ctl_blueprint *r, const char *only,
    enum acme_rc (*visit)(struct ctl_blueprint *r, const char *file))
{
    struct acme_dir_names files = { 0 };
    enum acme_rc rc = acme_foreign_file_list(&r->place, ".", &files, r->err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < files.count; i++)
        if (is_yaml(files.name[i]) &&
            (only == NULL || strcmp(only, files.name[i]) == 0))
            rc = visit(r, files.name[i]);
    acme_dir_names_free(&files);
    return rc;
}

/* With the global configuration, if there is one. */
static enum acme_rc
start(struct ctl_blueprint *r, const char *path)
{
    size_t up = strlen(path); /* how much of it is the directory and a slash */
    struct stat st;
    enum acme_rc rc;

    while (up > 0 && path[up - 1] != '/')
        up--;
    (void)snprintf(r->dir, sizeof(r->dir), "%s", path);
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        r->only = path + up;
        if (!is_yaml(r->only))
            return acme_error_set(r->err, ACME_CONFIG,
                "\"%s\" is not called .yaml or .yml, as blueprints are", path);
        r->dir[up > 1 ? up - 1 : up] = '\0';
    }
    rc = acme_foreign_file_open(r->dir, false, &r->place, r->err);
    return rc == ACME_OK ? each(r, NULL, find_global) : rc;
}

static void
end(struct ctl_blueprint *r)
{
    acme_json_free(r->global);
    acme_foreign_file_close(&r->place);
}

static enum acme_rc
read_all(struct ctl_blueprint *r, const char *path)
{
    struct acme_foreign *foreign = r->foreign;
    enum acme_rc rc = each(r, r->only, read_blueprint);

    if (rc == ACME_OK && foreign->n == 0 && r->wanted->n == 0)
        rc = acme_error_set(r->err, ACME_NOENT,
            "there is no blueprint of AutoSSL in \"%s\", a .yaml or .yml with "
            "a \"certificate\"",
            path);
    if (rc == ACME_OK && acme_json_get(r->global, "credentials") != NULL &&
        !acme_foreign_note(foreign, &foreign->notes, "credentials", "",
            "secrets of other machines are not taken over; a program that "
            "needs one has it in a file of its own"))
        rc = acme_error_nomem(r->err);
    if (rc == ACME_OK && !acme_foreign_stop(foreign, "autossl"))
        rc = acme_error_nomem(r->err);
    return rc;
}

enum acme_rc
ctl_blueprint_read(const char *path, const struct acme_foreign_wanted *wanted,
    struct acme_foreign *foreign, struct acme_error *err)
{
    struct ctl_blueprint r = { .foreign = foreign,
        .wanted = wanted,
        .place.fd = -1,
        .err = err };
    enum acme_rc rc = start(&r, path);

    if (rc == ACME_OK)
        rc = read_all(&r, path);
    end(&r);
    return rc;
}

/* ---- accounts --------------------------------------------------------- */

static enum acme_rc
read_key(const struct acme_json *storage, struct acme_buf *key,
    char file[2 * PATH_MAX], struct acme_error *err)
{
    const char *name = ctl_blueprint_text(storage, "name");
    struct acme_foreign_place place;
    char path[PATH_MAX], base[NAME_MAX + 1];
    enum acme_rc rc;

    if (name == NULL || acme_lineage_name_check(name, err) != ACME_OK)
        return acme_error_set(err, ACME_CONFIG,
            "the storage of an account key has no name");
    rc = ctl_blueprint_open(storage, path, &place, err);
    if (rc != ACME_OK)
        return rc;
    (void)snprintf(base, sizeof(base), "%s.key", name);
    if (acme_foreign_file_mode(&place, base) == 0)
        (void)snprintf(base, sizeof(base), "%s", name);
    rc = acme_foreign_file_read(&place, base, key, NULL, err);
    acme_foreign_file_close(&place);
    (void)snprintf(file, 2 * PATH_MAX, "%s/%s", path, base);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "in \"%s\"", path);
}

static bool
is_read(const struct acme_foreign_accounts *accounts, const char *file,
    const char *directory)
{
    size_t i;

    for (i = 0; i < accounts->n; i++)
        if (strcmp(accounts->list[i].from, file) == 0 &&
            strcmp(accounts->list[i].directory, directory) == 0)
            return true;
    return false;
}

/* One that is not there is made, some day. */
static enum acme_rc
read_account(struct ctl_blueprint *r, const struct acme_json *ca)
{
    struct acme_foreign_files files = { .client = ACME_FOREIGN_FILE };
    struct acme_foreign_account account;
    char directory[ACME_URL_MAX], file[2 * PATH_MAX];
    struct acme_error why;
    struct acme_buf key;
    enum acme_rc rc;

    ctl_blueprint_directory(ca, directory);
    if (directory[0] == '\0' ||
        !ctl_blueprint_is_local(acme_json_get(ca, "storage")))
        return ACME_OK;
    acme_error_clear(&why);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    memset(&account, 0, sizeof(account));
    files.key = &key;
    rc = read_key(acme_json_get(ca, "storage"), &key, file, &why);
    if (rc == ACME_OK && !is_read(r->accounts, file, directory)) {
        rc = acme_foreign_account_parse(&files, &account, &why);
        (void)snprintf(account.directory, sizeof(account.directory), "%s",
            directory);
        if (rc == ACME_OK)
            rc = acme_foreign_accounts_add(r->accounts, &account, file, &why);
    }
    acme_buf_clear(&key);
    acme_foreign_account_clear(&account);
    return rc == ACME_OK || rc == ACME_NOENT
               ? ACME_OK
               : acme_error_set(r->err, rc, "%s", why.what);
}

static enum acme_rc
read_accounts(struct ctl_blueprint *r, const char *file)
{
    const struct acme_json *list;
    struct acme_json *root = NULL;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_error_clear(&ignored);
    if (load(r, file, &root, &ignored) == ACME_NOMEM)
        rc = acme_error_nomem(r->err);
    r->root = root;
    list = ctl_blueprint_section(r, "certificate_authorities");
    for (i = 0; rc == ACME_OK && i < acme_json_count(list); i++)
        rc = read_account(r, acme_json_at(list, i));
    r->root = NULL;
    acme_json_free(root);
    return rc;
}

enum acme_rc
ctl_blueprint_accounts(const char *path,
    struct acme_foreign_accounts *accounts, struct acme_error *err)
{
    struct ctl_blueprint r = { .place.fd = -1,
        .accounts = accounts,
        .err = err };
    enum acme_rc rc = start(&r, path);

    accounts->client = ACME_FOREIGN_FILE;
    if (rc == ACME_OK)
        rc = each(&r, r.only, read_accounts);
    end(&r);
    return rc;
}
