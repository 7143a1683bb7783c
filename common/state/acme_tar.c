#include "state/acme_tar.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"

/* POSIX.1-1988's header, in which GNU's is the same as far as it is used. */
#define NAME_AT 0
#define NAME_LEN 100
#define MODE_AT 100
#define UID_AT 108
#define GID_AT 116
#define SIZE_AT 124
#define MTIME_AT 136
#define SUM_AT 148
#define TYPE_AT 156
#define TARGET_AT 157
#define TARGET_LEN 100
#define MAGIC_AT 257
#define PREFIX_AT 345
#define PREFIX_LEN 155

#define TYPE_FILE '0'
#define TYPE_LINK '2'
#define TYPE_DIRECTORY '5'
#define TYPE_LONG_NAME 'L'
#define TYPE_LONG_TARGET 'K'
#define LONG_LINK "././@LongLink"

static unsigned
sum_of(const unsigned char block[ACME_TAR_BLOCK])
{
    unsigned sum = 0;
    size_t i;

    for (i = 0; i < ACME_TAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : block[i];
    return sum;
}

/* ---- writing ---------------------------------------------------------- */

static void
put_octal(unsigned char *at, int digits, unsigned long long value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%0*llo", digits, value);
    memcpy(at, text, (size_t)digits);
}

static void
put_text(unsigned char *at, size_t size, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len < size ? len : size);
}

static void
add_block(struct acme_buf *out, char type, const char *name,
    const char *target, const struct acme_tar_entry *entry, uint64_t size)
{
    unsigned char block[ACME_TAR_BLOCK] = { 0 };

    put_text(block + NAME_AT, NAME_LEN, name);
    put_octal(block + MODE_AT, 7, entry->mode & 0777);
    put_octal(block + UID_AT, 7, 0);
    put_octal(block + GID_AT, 7, 0);
    put_octal(block + SIZE_AT, 11, size);
    put_octal(block + MTIME_AT, 11,
        entry->mtime > 0 ? (unsigned long long)entry->mtime : 0);
    block[TYPE_AT] = (unsigned char)type;
    put_text(block + TARGET_AT, TARGET_LEN, target);
    memcpy(block + MAGIC_AT, "ustar  ", 8); /* GNU's: no prefix is used */
    put_octal(block + SUM_AT, 6, sum_of(block));
    block[SUM_AT + 6] = '\0';
    block[SUM_AT + 7] = ' ';
    acme_buf_add(out, block, sizeof(block));
}

static void
add_content(struct acme_buf *out, const void *content, size_t size)
{
    static const unsigned char zeros[ACME_TAR_BLOCK];

    acme_buf_add(out, content, size);
    if (size % ACME_TAR_BLOCK != 0)
        acme_buf_add(out, zeros, ACME_TAR_BLOCK - size % ACME_TAR_BLOCK);
}

/* What does not fit into a header comes before it, as a file. */
static void
add_long(struct acme_buf *out, char type, const char *text)
{
    const struct acme_tar_entry plain = { .mode = 0644 };

    add_block(out, type, LONG_LINK, "", &plain, strlen(text) + 1);
    add_content(out, text, strlen(text) + 1);
}

enum acme_rc
acme_tar_add(struct acme_buf *out, const struct acme_tar_entry *entry,
    const void *content, struct acme_error *err)
{
    static const char types[] = { TYPE_FILE, TYPE_LINK, TYPE_DIRECTORY };
    const uint64_t size = entry->kind == ACME_TAR_FILE ? entry->size : 0;

    if (strlen(entry->name) > NAME_LEN)
        add_long(out, TYPE_LONG_NAME, entry->name);
    if (entry->kind == ACME_TAR_LINK && strlen(entry->target) > TARGET_LEN)
        add_long(out, TYPE_LONG_TARGET, entry->target);
    add_block(out, types[entry->kind], entry->name,
        entry->kind == ACME_TAR_LINK ? entry->target : "", entry, size);
    if (size > 0)
        add_content(out, content, (size_t)size);
    return acme_buf_ok(out) ? ACME_OK : acme_error_nomem(err);
}

void
acme_tar_end(struct acme_buf *out)
{
    static const unsigned char zeros[2 * ACME_TAR_BLOCK];

    acme_buf_add(out, zeros, sizeof(zeros));
}

/* ---- reading ---------------------------------------------------------- */

static enum acme_rc
refuse(const struct acme_tar_entry *entry, const char *why,
    struct acme_error *err)
{
    char clean[200];

    return acme_error_set(err, ACME_WIRE, "\"%s\": %s",
        acme_log_clean(clean, sizeof(clean), entry->name, strlen(entry->name)),
        why);
}

/* Octal digits, spaces around them, up to a NUL; false: not so. */
static bool
get_octal(const unsigned char *at, size_t size, uint64_t *value)
{
    size_t i = 0;

    *value = 0;
    while (i < size && at[i] == ' ')
        i++;
    if (i == size)
        return false;
    for (; i < size && at[i] >= '0' && at[i] <= '7'; i++)
        *value = *value * 8 + (uint64_t)(at[i] - '0');
    while (i < size && (at[i] == ' ' || at[i] == '\0'))
        i++;
    return i == size;
}

static void
get_text(const unsigned char *at, size_t size, char *out)
{
    size_t len = strnlen((const char *)at, size);

    memcpy(out, at, len);
    out[len] = '\0';
}

static bool
is_zero(const unsigned char block[ACME_TAR_BLOCK])
{
    size_t i;

    for (i = 0; i < ACME_TAR_BLOCK; i++)
        if (block[i] != 0)
            return false;
    return true;
}

/* A header's name; ustar puts the beginning of a long one elsewhere. */
static void
get_name(const unsigned char block[ACME_TAR_BLOCK],
    struct acme_tar_entry *entry)
{
    char name[NAME_LEN + 1], prefix[PREFIX_LEN + 1] = "";

    get_text(block + NAME_AT, NAME_LEN, name);
    if (memcmp(block + MAGIC_AT, "ustar\0", 6) == 0)
        get_text(block + PREFIX_AT, PREFIX_LEN, prefix);
    (void)snprintf(entry->name, sizeof(entry->name), "%s%s%s", prefix,
        prefix[0] != '\0' ? "/" : "", name);
}

static enum acme_rc
skip_rest(acme_tar_read *read, void *ctx, uint64_t size,
    struct acme_error *err)
{
    unsigned char rest[ACME_TAR_BLOCK];
    size_t len =
        (size_t)((ACME_TAR_BLOCK - size % ACME_TAR_BLOCK) % ACME_TAR_BLOCK);

    if (len > 0 && !read(ctx, rest, len))
        return acme_error_set(err, ACME_WIRE, "the archive ends too early");
    return ACME_OK;
}

/* A long name or target is a file of its own. */
static enum acme_rc
read_long(acme_tar_read *read, void *ctx, uint64_t size,
    char out[ACME_TAR_NAME_MAX], struct acme_error *err)
{
    if (size == 0 || size >= ACME_TAR_NAME_MAX)
        return acme_error_set(err, ACME_WIRE,
            "there is a name of %llu bytes in the archive",
            (unsigned long long)size);
    if (!read(ctx, out, (size_t)size))
        return acme_error_set(err, ACME_WIRE, "the archive ends too early");
    out[size] = '\0';
    return skip_rest(read, ctx, size, err);
}

/* ACME_NOENT: the end. */
static enum acme_rc
read_header(acme_tar_read *read, void *ctx,
    unsigned char block[ACME_TAR_BLOCK], uint64_t *size,
    struct acme_error *err)
{
    uint64_t sum;

    if (!read(ctx, block, ACME_TAR_BLOCK))
        return acme_error_set(err, ACME_WIRE, "the archive ends too early");
    if (is_zero(block))
        return ACME_NOENT;
    if (memcmp(block + MAGIC_AT, "ustar", 5) != 0 ||
        !get_octal(block + SUM_AT, 8, &sum) || sum != sum_of(block))
        return acme_error_set(err, ACME_WIRE, "it is no tar archive");
    if (!get_octal(block + SIZE_AT, 12, size))
        return acme_error_set(err, ACME_WIRE,
            "there is a file of no sensible size in the archive");
    return ACME_OK;
}

static enum acme_rc
take_kind(const unsigned char block[ACME_TAR_BLOCK], uint64_t size,
    struct acme_tar_entry *entry, struct acme_error *err)
{
    switch (block[TYPE_AT]) {
    case TYPE_FILE:
    case '\0':
        entry->kind = ACME_TAR_FILE;
        entry->size = size;
        return ACME_OK;
    case TYPE_LINK:
        entry->kind = ACME_TAR_LINK;
        break;
    case TYPE_DIRECTORY:
        entry->kind = ACME_TAR_DIRECTORY;
        break;
    default:
        return refuse(entry,
            "it is neither a file nor a symbolic link nor a directory", err);
    }
    entry->size = 0;
    return size == 0 ? ACME_OK
                     : refuse(entry, "it has content and is no file", err);
}

static enum acme_rc
take_rest(const unsigned char block[ACME_TAR_BLOCK],
    struct acme_tar_entry *entry, bool long_target, struct acme_error *err)
{
    uint64_t mode, mtime;

    if (!get_octal(block + MODE_AT, 8, &mode) ||
        !get_octal(block + MTIME_AT, 12, &mtime))
        return refuse(entry, "its header is malformed", err);
    entry->mode = (mode_t)(mode & 07777);
    entry->mtime = (time_t)mtime;
    if (!long_target)
        get_text(block + TARGET_AT, TARGET_LEN, entry->target);
    if (entry->kind != ACME_TAR_LINK)
        entry->target[0] = '\0';
    return ACME_OK;
}

enum acme_rc
acme_tar_next(acme_tar_read *read, void *ctx, struct acme_tar_entry *entry,
    struct acme_error *err)
{
    unsigned char block[ACME_TAR_BLOCK];
    bool long_name = false, long_target = false;
    uint64_t size = 0;
    enum acme_rc rc;

    for (;;) {
        rc = read_header(read, ctx, block, &size, err);
        if (rc != ACME_OK)
            return rc;
        if (block[TYPE_AT] == TYPE_LONG_NAME && !long_name) {
            rc = read_long(read, ctx, size, entry->name, err);
            long_name = true;
        } else if (block[TYPE_AT] == TYPE_LONG_TARGET && !long_target) {
            rc = read_long(read, ctx, size, entry->target, err);
            long_target = true;
        } else {
            break;
        }
        if (rc != ACME_OK)
            return rc;
    }
    if (!long_name)
        get_name(block, entry);
    rc = take_kind(block, size, entry, err);
    return rc == ACME_OK ? take_rest(block, entry, long_target, err) : rc;
}

enum acme_rc
acme_tar_content(acme_tar_read *read, void *ctx,
    const struct acme_tar_entry *entry, size_t max, struct acme_buf *out,
    struct acme_error *err)
{
    unsigned char *at;

    if (entry->size > max)
        return refuse(entry, "it is too large", err);
    if (entry->size == 0)
        return ACME_OK;
    at = acme_buf_extend(out, (size_t)entry->size);
    if (at == NULL)
        return acme_error_nomem(err);
    if (!read(ctx, at, (size_t)entry->size))
        return acme_error_set(err, ACME_WIRE, "the archive ends too early");
    return skip_rest(read, ctx, entry->size, err);
}
