#define _GNU_SOURCE
#include "state/acme_area.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_base64.h"
#include "base/acme_name.h"

/*
 * Everything shared is made of words that are loaded and stored atomically
 * and guarded by sequence counters: odd while a writer is at it, even and
 * different after it.  A reader copies the words out and then looks whether
 * the counter stood still.  Words are stored with release and loaded with
 * acquire order, so whoever has seen one word of a newer writer sees its
 * counter too; that does without fences, which the thread sanitizer does not
 * know, and costs nothing on x86.
 *
 * A writer may die between odd and even.  The next one finds the counter odd
 * and goes on from there; until then readers see no new generation.
 *
 * Sizes are known to each process from before the fork (struct acme_area is
 * not shared): whoever scribbles over the memory can lie about contents only,
 * and those are checked after they were copied out.
 */

#if ATOMIC_INT_LOCK_FREE != 2 || ATOMIC_LONG_LOCK_FREE != 2
#error "the key area needs lock-free atomics"
#endif

typedef uintptr_t word;

#define WORDS(bytes) (((bytes) + sizeof(word) - 1) / sizeof(word))

/* A reader looks again so often: a writer needs microseconds, or its next
 * turn on a busy machine.  A dead one costs a millisecond. */
#define TRIES 16
#define YIELDS 8
#define NAP_NS 100000

/* The head of a slot, in words: the number of pairs, and of each pair type
 * (with SPARE), the lengths of key, chain and staple, and until when that is
 * good.  The three follow, pair by pair, each from a word boundary on. */
enum {
    PAIR_TYPE,
    PAIR_KEY_LEN,
    PAIR_CHAIN_LEN,
    PAIR_STAPLE_LEN,
    PAIR_STAPLE_UNTIL,
    PAIR_WORDS
};
#define SPARE 0x10000u
#define HEAD_WORDS (1 + ACME_SLOT_PAIRS_MAX * PAIR_WORDS)
#define SLOT_WORDS (ACME_SLOT_BYTES / sizeof(word))

/* What a request needs to know of a lineage, word by word. */
enum {
    TOLD_ENHANCE, /* flags, see pack() */
    TOLD_MAX_AGE,
    TOLD_HSTS_SINCE,
    TOLD_ISSUED,
    TOLD_NOT_AFTER,
    TOLD_WORDS
};

/* State of a slot, apart from it: to ask for a generation does not touch the
 * slot's pages. */
struct state {
    _Atomic uint32_t sequence;
    _Atomic uint32_t version;
    _Atomic uint32_t used; /* words ever written and not wiped since */
    _Atomic uint32_t told_sequence;
    _Atomic word told[TOLD_WORDS];
    _Atomic word rest; /* time until which nothing can be asked for */
};

#define THUMBPRINT_WORDS WORDS(ACME_THUMBPRINT_LEN + 1)

struct thumbprint {
    _Atomic uint32_t sequence;
    _Atomic word text[THUMBPRINT_WORDS]; /* "" if none */
};

/* What a reader of a token needs, word by word. */
#define TOKEN_WORDS WORDS(sizeof(struct acme_area_token))

struct token {
    _Atomic word text[TOKEN_WORDS]; /* a struct acme_area_token */
};

#define ALPN_KEY_WORDS WORDS(ACME_ALPN_KEY_MAX)

struct alpn_key {
    _Atomic uint32_t sequence;
    _Atomic uint32_t len; /* 0: none */
    _Atomic word der[ALPN_KEY_WORDS];
};

/* Most texts fit into the first part, and those stand close together: a page
 * of memory has two of them.  The pages of the second parts are touched only
 * where they are used. */
#define NEAR_BYTES 2048
#define FAR_BYTES (ACME_STATUS_BYTES - NEAR_BYTES)
#define NEAR_WORDS (NEAR_BYTES / sizeof(word))

struct status {
    _Atomic uint32_t sequence;
    _Atomic uint32_t len; /* bytes of the text */
};

struct head {
    _Atomic word beat;
    _Atomic word stamp; /* of all that is told */
    _Atomic uint32_t token_sequence;
    _Atomic uint32_t ntokens;
    struct token token[ACME_TOKENS_MAX]; /* sorted by name, type and token */
    _Atomic uint32_t nalpn;              /* of them tls-alpn-01 */
    struct alpn_key alpn_key[ACME_ALGORITHMS];
};

struct acme_area {
    size_t nlineages;
    size_t nissuers;
    size_t size;
    unsigned char *map;
    /* Two bytes for each lineage, in a mapping of its own: whether it was
     * served, and whether it is asked for. */
    void *traffic;
    int handle;  /* O_PATH, of the memory's file; -1: it has none */
    bool hidden; /* processes forked from `owner` do not have the mapping */
    pid_t owner;

    /* Into the mapping. */
    struct head *head;
    struct thumbprint *thumbprint;
    struct state *state;
    struct status *status; /* the last one is the server's */
    unsigned char *near, *far;
    unsigned char *slots;
};

/* ---- words and counters ----------------------------------------------- */

static void
store_words(_Atomic word *to, const void *from, size_t nwords)
{
    const unsigned char *at = from;
    word value;
    size_t i;

    for (i = 0; i < nwords; i++, at += sizeof(value)) {
        memcpy(&value, at, sizeof(value));
        atomic_store_explicit(&to[i], value, memory_order_release);
    }
}

static void
wipe_words(_Atomic word *to, size_t nwords)
{
    size_t i;

    for (i = 0; i < nwords; i++)
        atomic_store_explicit(&to[i], 0, memory_order_release);
}

static void
load_words(void *to, const _Atomic word *from, size_t nwords)
{
    unsigned char *at = to;
    word value;
    size_t i;

    for (i = 0; i < nwords; i++, at += sizeof(value)) {
        value = atomic_load_explicit(&from[i], memory_order_acquire);
        memcpy(at, &value, sizeof(value));
    }
}

/* Returns the odd value that tells readers to keep off. */
static uint32_t
write_begin(_Atomic uint32_t *sequence)
{
    uint32_t odd = atomic_load_explicit(sequence, memory_order_relaxed) | 1;

    atomic_store_explicit(sequence, odd, memory_order_relaxed);
    return odd;
}

/* Passes over 0, which means "never written". */
static void
write_end(_Atomic uint32_t *sequence, uint32_t odd)
{
    uint32_t even = odd + 1 != 0 ? odd + 1 : 2;

    atomic_store_explicit(sequence, even, memory_order_release);
}

/* False: a writer is at it, or died at it. */
static bool
read_begin(const _Atomic uint32_t *sequence, uint32_t *seen)
{
    *seen = atomic_load_explicit(sequence, memory_order_acquire);
    return (*seen & 1) == 0;
}

/* Whether what was loaded since read_begin() is of one writer. */
static bool
read_end(const _Atomic uint32_t *sequence, uint32_t seen)
{
    return atomic_load_explicit(sequence, memory_order_relaxed) == seen;
}

/* Before try i. */
static void
let_write(int i)
{
    const struct timespec nap = { 0, NAP_NS };

    if (i > YIELDS)
        nanosleep(&nap, NULL);
    else if (i > 0)
        sched_yield();
}

/* ---- the area --------------------------------------------------------- */

static size_t
pages(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

#define FILE_NAME "acme-keys" /* for people who look at maps */
#define FD_PATH "/proc/self/fd/%d"

/* Linux 6.3; an older one refuses it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* A file without a name that only its owner can open.  -1: not here. */
static int
memory_file(struct acme_area *area)
{
    int fd = -1;
#if defined(MFD_CLOEXEC) && defined(O_PATH) && defined(MADV_DONTFORK)
    char path[sizeof(FD_PATH) + 10];
    struct rlimit limit;

    /* Past this limit there is a signal, not an error. */
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < area->size)
        return -1;
    fd = memfd_create(FILE_NAME, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd == -1 && errno == EINVAL)
        fd = memfd_create(FILE_NAME, MFD_CLOEXEC);
    if (fd == -1)
        return -1;
    (void)snprintf(path, sizeof(path), FD_PATH, fd);
    if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 &&
        ftruncate(fd, (off_t)area->size) == 0)
        area->handle = open(path, O_PATH | O_CLOEXEC);
    if (area->handle == -1) {
        close(fd);
        fd = -1;
    }
#else
    (void)area;
#endif
    return fd;
}

static enum acme_rc
map(struct acme_area *area, struct acme_error *err)
{
    int file = memory_file(area),
        flags = MAP_SHARED | (file == -1 ? MAP_ANONYMOUS : 0);
    void *mapping;

#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    mapping = mmap(NULL, area->size, PROT_READ | PROT_WRITE, flags, file, 0);
    if (file != -1)
        close(file);
    if (mapping == MAP_FAILED)
        return acme_error_errno(err, ACME_NOMEM, errno,
            "cannot map %zu bytes of memory for the keys of %zu certificates",
            area->size, area->nlineages);
#ifdef MADV_DONTDUMP
    /* An old kernel's refusal leaves the keys as safe as the heap is. */
    madvise(mapping, area->size, MADV_DONTDUMP);
#endif
    area->map = mapping;
    return ACME_OK;
}

static size_t
traffic_size(const struct acme_area *area)
{
    return pages(2 * (area->nlineages + 1));
}

/* Workers write to it, so it is apart from what they must not write to. */
static enum acme_rc
map_traffic(struct acme_area *area, struct acme_error *err)
{
    void *mapping = mmap(NULL, traffic_size(area), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (mapping == MAP_FAILED)
        return acme_error_errno(err, ACME_NOMEM, errno,
            "cannot map memory for %zu certificates", area->nlineages);
    area->traffic = mapping;
    return ACME_OK;
}

static void
lay_out(struct acme_area *area)
{
    unsigned char *at = area->map;

    area->head = (void *)at;
    at += pages(sizeof(struct head));
    area->thumbprint = (void *)at;
    at += pages(area->nissuers * sizeof(struct thumbprint));
    area->state = (void *)at;
    at += pages(area->nlineages * sizeof(struct state));
    area->status = (void *)at;
    at += pages((area->nlineages + 1) * sizeof(struct status));
    area->near = at;
    at += pages((area->nlineages + 1) * NEAR_BYTES);
    area->far = at;
    area->slots = at + pages((area->nlineages + 1) * FAR_BYTES);
}

/* That of another area, of before or beside this one, is another. */
static void
first_stamp(struct acme_area *area)
{
    struct timespec now = { 0, 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    atomic_store_explicit(&area->head->stamp,
        (word)now.tv_sec * 1000000 + (word)now.tv_nsec / 1000,
        memory_order_relaxed);
}

enum acme_rc
acme_area_new(size_t nlineages, size_t nissuers, struct acme_area **area,
    struct acme_error *err)
{
    const size_t max = SIZE_MAX / 4;
    struct acme_area *made = NULL;
    enum acme_rc rc;

    if (nlineages > max / (ACME_SLOT_BYTES + ACME_STATUS_BYTES) ||
        nissuers > max / sizeof(struct thumbprint))
        return acme_error_set(err, ACME_NOMEM,
            "no memory is large enough for %zu certificates", nlineages);
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return acme_error_nomem(err);
    made->handle = -1;
    made->owner = getpid();
    made->nlineages = nlineages;
    made->nissuers = nissuers;
    made->size = pages(sizeof(struct head)) +
                 pages(nissuers * sizeof(struct thumbprint)) +
                 pages(nlineages * sizeof(struct state)) +
                 pages((nlineages + 1) * sizeof(struct status)) +
                 pages((nlineages + 1) * NEAR_BYTES) +
                 pages((nlineages + 1) * FAR_BYTES) +
                 nlineages * ACME_SLOT_BYTES;
    rc = map_traffic(made, err);
    if (rc == ACME_OK)
        rc = map(made, err);
    if (rc != ACME_OK) {
        if (made->traffic != NULL)
            munmap(made->traffic, traffic_size(made));
        if (made->handle != -1)
            close(made->handle);
        free(made);
        return rc;
    }
    lay_out(made);
    first_stamp(made);
    *area = made;
    return ACME_OK;
}

void
acme_area_free(struct acme_area *area)
{
    if (area == NULL)
        return;
    /* In a process that has not inherited it the place, and in one that has
     * closed what it inherited the number, is somebody else's by now. */
    if (!area->hidden || area->owner == getpid())
        munmap(area->map, area->size);
    munmap(area->traffic, traffic_size(area));
    if (area->handle != -1 && area->owner == getpid())
        close(area->handle);
    free(area);
}

void
acme_area_inherit(struct acme_area *area, bool inherit)
{
#ifdef MADV_DONTFORK
    if (area->handle != -1 && madvise(area->map, area->size,
                                  inherit ? MADV_DOFORK : MADV_DONTFORK) == 0)
        area->hidden = !inherit;
#else
    (void)area;
    (void)inherit;
#endif
}

enum acme_rc
acme_area_open(struct acme_area *area, struct acme_error *err)
{
    char path[sizeof(FD_PATH) + 10];
    void *mapping = MAP_FAILED;
    int fd;

    if (!area->hidden)
        return ACME_OK;
    (void)snprintf(path, sizeof(path), FD_PATH, area->handle);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd != -1)
        mapping = mmap(NULL, area->size, PROT_READ, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED)
        (void)acme_error_errno(err, ACME_IO, errno, "cannot map the keys");
    if (fd != -1)
        close(fd);
    if (mapping == MAP_FAILED)
        return err->rc;
#ifdef MADV_DONTDUMP
    madvise(mapping, area->size, MADV_DONTDUMP);
#endif
    close(area->handle);
    area->handle = -1;
    area->hidden = false;
    area->map = mapping;
    lay_out(area);
    return ACME_OK;
}

void
acme_area_protect(struct acme_area *area)
{
    mprotect(area->map, area->size, PROT_READ);
}

static _Atomic unsigned char *
traffic(const struct acme_area *area, size_t lineage)
{
    return (_Atomic unsigned char *)area->traffic + lineage;
}

bool
acme_area_has_traffic(const struct acme_area *area, size_t lineage)
{
    return lineage < area->nlineages &&
           atomic_load_explicit(traffic(area, lineage),
               memory_order_relaxed) != 0;
}

void
acme_area_note_traffic(const struct acme_area *area, size_t lineage)
{
    /* Once written, the others only read it. */
    if (lineage < area->nlineages && !acme_area_has_traffic(area, lineage))
        atomic_store_explicit(traffic(area, lineage), 1, memory_order_relaxed);
}

/* ---- what is asked for ------------------------------------------------ */

static _Atomic unsigned char *
asked(const struct acme_area *area, size_t lineage)
{
    return traffic(area, area->nlineages + 1 + lineage);
}

bool
acme_area_ask(const struct acme_area *area, size_t lineage)
{
    return lineage < area->nlineages &&
           atomic_exchange_explicit(asked(area, lineage), 1,
               memory_order_acq_rel) == 0;
}

bool
acme_area_is_asked(const struct acme_area *area, size_t lineage)
{
    return lineage < area->nlineages &&
           atomic_load_explicit(asked(area, lineage), memory_order_acquire) !=
               0;
}

void
acme_area_put_rest(struct acme_area *area, size_t lineage, time_t until)
{
    if (lineage >= area->nlineages)
        return;
    atomic_store_explicit(&area->state[lineage].rest, (word)until,
        memory_order_release);
    atomic_store_explicit(asked(area, lineage), 0, memory_order_release);
}

time_t
acme_area_rest(const struct acme_area *area, size_t lineage)
{
    if (lineage >= area->nlineages)
        return 0;
    return (time_t)atomic_load_explicit(&area->state[lineage].rest,
        memory_order_acquire);
}

static _Atomic word *
slot(const struct acme_area *area, size_t lineage)
{
    return (void *)(area->slots + lineage * ACME_SLOT_BYTES);
}

/* ---- slots: writing --------------------------------------------------- */

static enum acme_rc
check_pairs(const struct acme_area *area, size_t lineage,
    const struct acme_area_pair *pairs, size_t npairs, struct acme_error *err)
{
    size_t i;

    if (lineage >= area->nlineages)
        return acme_error_set(err, ACME_REFUSED,
            "the key area has no slot %zu", lineage);
    if (npairs > ACME_SLOT_PAIRS_MAX)
        return acme_error_set(err, ACME_REFUSED, "%zu keys; %d can be served",
            npairs, ACME_SLOT_PAIRS_MAX);
    for (i = 0; i < npairs; i++)
        if (pairs[i].key_len == 0 || pairs[i].key_len > ACME_SLOT_BYTES ||
            pairs[i].chain_len == 0 ||
            pairs[i].chain_len > ACME_CHAIN_DER_MAX ||
            pairs[i].staple_len > ACME_STAPLE_MAX)
            return acme_error_set(err, ACME_REFUSED,
                "a key of %zu bytes with a chain of %zu and a staple of %zu "
                "cannot be served; at most %d bytes of chain and %d of staple "
                "can",
                pairs[i].key_len, pairs[i].chain_len, pairs[i].staple_len,
                ACME_CHAIN_DER_MAX, ACME_STAPLE_MAX);
    return ACME_OK;
}

static void
add_padded(struct acme_buf *image, const void *data, size_t len)
{
    static const unsigned char zero[sizeof(word)];

    acme_buf_add(image, data, len);
    acme_buf_add(image, zero, WORDS(len) * sizeof(word) - len);
}

/* The slot as it will be. */
static enum acme_rc
build_image(struct acme_buf *image, const struct acme_area_pair *pairs,
    size_t npairs, struct acme_error *err)
{
    word head[HEAD_WORDS] = { 0 };
    size_t i, total = sizeof(head);

    head[0] = npairs;
    for (i = 0; i < npairs; i++) {
        word *pair = head + 1 + i * PAIR_WORDS;

        pair[PAIR_TYPE] = pairs[i].type | (pairs[i].spare ? SPARE : 0);
        pair[PAIR_KEY_LEN] = pairs[i].key_len;
        pair[PAIR_CHAIN_LEN] = pairs[i].chain_len;
        pair[PAIR_STAPLE_LEN] = pairs[i].staple_len;
        pair[PAIR_STAPLE_UNTIL] = (word)pairs[i].staple_until;
        total += (WORDS(pairs[i].key_len) + WORDS(pairs[i].chain_len) +
                     WORDS(pairs[i].staple_len)) *
                 sizeof(word);
    }
    if (total > ACME_SLOT_BYTES)
        return acme_error_set(err, ACME_REFUSED,
            "keys and chains together have %zu bytes; at most %d can be "
            "served",
            total, ACME_SLOT_BYTES);
    acme_buf_add(image, head, sizeof(head));
    for (i = 0; i < npairs; i++) {
        add_padded(image, pairs[i].key, pairs[i].key_len);
        add_padded(image, pairs[i].chain, pairs[i].chain_len);
        add_padded(image, pairs[i].staple, pairs[i].staple_len);
    }
    return acme_buf_ok(image) ? ACME_OK : acme_error_nomem(err);
}

/* Whatever an earlier writer left behind the image is wiped, also when that
 * writer died in the middle: `used` is raised before the first word. */
static void
store_image(struct acme_area *area, size_t lineage,
    const struct acme_buf *image, unsigned version)
{
    struct state *state = &area->state[lineage];
    _Atomic word *words = slot(area, lineage);
    size_t now = image->len / sizeof(word);
    size_t used = atomic_load_explicit(&state->used, memory_order_relaxed);
    uint32_t odd = write_begin(&state->sequence);

    if (used > SLOT_WORDS)
        used = SLOT_WORDS;
    if (used < now)
        used = now;
    atomic_store_explicit(&state->used, (uint32_t)used, memory_order_relaxed);
    store_words(words, image->data, now);
    wipe_words(words + now, used - now);
    atomic_store_explicit(&state->used, (uint32_t)now, memory_order_release);
    atomic_store_explicit(&state->version, version, memory_order_relaxed);
    write_end(&state->sequence, odd);
}

enum acme_rc
acme_area_put(struct acme_area *area, size_t lineage,
    const struct acme_area_pair *pairs, size_t npairs, unsigned version,
    struct acme_error *err)
{
    struct acme_buf image;
    enum acme_rc rc;

    acme_buf_init_secret(&image, ACME_SLOT_BYTES);
    rc = check_pairs(area, lineage, pairs, npairs, err);
    if (rc == ACME_OK)
        rc = build_image(&image, pairs, npairs, err);
    if (rc == ACME_OK)
        store_image(area, lineage, &image, npairs > 0 ? version : 0);
    acme_buf_clear(&image);
    return rc;
}

/* ---- slots: reading --------------------------------------------------- */

uint32_t
acme_area_generation(const struct acme_area *area, size_t lineage)
{
    uint32_t sequence;

    if (lineage >= area->nlineages)
        return 0;
    sequence = atomic_load_explicit(&area->state[lineage].sequence,
        memory_order_acquire);
    return sequence >> 1; /* a write that has not ended changes nothing */
}

unsigned
acme_area_version(const struct acme_area *area, size_t lineage)
{
    if (lineage >= area->nlineages)
        return 0;
    return atomic_load_explicit(&area->state[lineage].version,
        memory_order_relaxed);
}

/* Words of the whole slot by its head, 0 if that cannot be. */
static size_t
head_total(const word head[HEAD_WORDS])
{
    size_t i, total = HEAD_WORDS;

    if (head[0] == 0 || head[0] > ACME_SLOT_PAIRS_MAX)
        return 0;
    for (i = 0; i < head[0]; i++) {
        const word *pair = head + 1 + i * PAIR_WORDS;

        if (pair[PAIR_KEY_LEN] == 0 || pair[PAIR_KEY_LEN] > ACME_SLOT_BYTES ||
            pair[PAIR_CHAIN_LEN] == 0 ||
            pair[PAIR_CHAIN_LEN] > ACME_CHAIN_DER_MAX ||
            pair[PAIR_STAPLE_LEN] > ACME_STAPLE_MAX)
            return 0;
        total += WORDS(pair[PAIR_KEY_LEN]) + WORDS(pair[PAIR_CHAIN_LEN]) +
                 WORDS(pair[PAIR_STAPLE_LEN]);
    }
    return total <= SLOT_WORDS ? total : 0;
}

static size_t
point_pairs(const word head[HEAD_WORDS], const struct acme_buf *copy,
    struct acme_area_pair *pairs)
{
    const unsigned char *at = copy->data;
    size_t i;

    for (i = 0; i < head[0]; i++) {
        const word *pair = head + 1 + i * PAIR_WORDS;

        pairs[i].type = (enum acme_key_type)(pair[PAIR_TYPE] & ~(word)SPARE);
        pairs[i].spare = (pair[PAIR_TYPE] & SPARE) != 0;
        pairs[i].key = at;
        pairs[i].key_len = pair[PAIR_KEY_LEN];
        at += WORDS(pairs[i].key_len) * sizeof(word);
        pairs[i].chain = at;
        pairs[i].chain_len = pair[PAIR_CHAIN_LEN];
        at += WORDS(pairs[i].chain_len) * sizeof(word);
        pairs[i].staple = at;
        pairs[i].staple_len = pair[PAIR_STAPLE_LEN];
        pairs[i].staple_until = (time_t)pair[PAIR_STAPLE_UNTIL];
        at += WORDS(pairs[i].staple_len) * sizeof(word);
    }
    return head[0];
}

enum outcome {
    GOOD,
    TORN, /* worth another look */
    BAD
};

static enum outcome
copy_slot(const struct acme_area *area, size_t lineage, word *head,
    struct acme_buf *copy, uint32_t *seen)
{
    const _Atomic uint32_t *sequence = &area->state[lineage].sequence;
    const _Atomic word *words = slot(area, lineage);
    size_t total;
    unsigned char *to;

    if (!read_begin(sequence, seen))
        return TORN;
    if (*seen == 0)
        return BAD;
    load_words(head, words, HEAD_WORDS);
    if (!read_end(sequence, *seen))
        return TORN;
    total = head_total(head);
    if (total == 0)
        return BAD;
    acme_buf_reset(copy);
    to = acme_buf_extend(copy, (total - HEAD_WORDS) * sizeof(word));
    if (to == NULL)
        return BAD;
    load_words(to, words + HEAD_WORDS, total - HEAD_WORDS);
    return read_end(sequence, *seen) ? GOOD : TORN;
}

bool
acme_area_get(const struct acme_area *area, size_t lineage,
    struct acme_buf *copy, struct acme_area_pair *pairs, size_t *npairs,
    uint32_t *generation)
{
    word head[HEAD_WORDS];
    enum outcome outcome = BAD;
    uint32_t seen = 0;
    int i;

    for (i = 0; lineage < area->nlineages && i < TRIES; i++) {
        let_write(i);
        outcome = copy_slot(area, lineage, head, copy, &seen);
        if (outcome != TORN)
            break;
    }
    if (outcome != GOOD)
        return false;
    *npairs = point_pairs(head, copy, pairs);
    *generation = seen >> 1;
    return true;
}

/* ---- enhancements ----------------------------------------------------- */

#define MODE_SHIFT 4
#define UPGRADE_SHIFT 8
#define SUBDOMAINS 0x1000u
#define PRELOAD 0x2000u
#define FIELD 0xfu

static word
pack(const struct acme_enhance *enhance)
{
    return (word)enhance->redirect | (word)enhance->hsts.mode << MODE_SHIFT |
           (word)enhance->upgrade << UPGRADE_SHIFT |
           (enhance->hsts.subdomains ? SUBDOMAINS : 0) |
           (enhance->hsts.preload ? PRELOAD : 0);
}

/* What is none of the values was not said. */
static void
unpack(word flags, word max_age, struct acme_enhance *enhance)
{
    const word redirect = flags & FIELD, mode = flags >> MODE_SHIFT & FIELD,
               upgrade = flags >> UPGRADE_SHIFT & FIELD;

    memset(enhance, 0, sizeof(*enhance));
    if (redirect < ACME_REDIRECTS)
        enhance->redirect = (enum acme_redirect)redirect;
    if (mode < ACME_HSTS_MODES)
        enhance->hsts.mode = (enum acme_hsts_mode)mode;
    if (upgrade < ACME_UPGRADES)
        enhance->upgrade = (enum acme_upgrade)upgrade;
    enhance->hsts.max_age = (unsigned)max_age;
    enhance->hsts.subdomains = (flags & SUBDOMAINS) != 0;
    enhance->hsts.preload = (flags & PRELOAD) != 0;
}

static void
tell(struct acme_area *area, size_t lineage, size_t first, const word *words,
    size_t nwords)
{
    struct state *state;
    uint32_t odd;

    if (lineage >= area->nlineages)
        return;
    state = &area->state[lineage];
    odd = write_begin(&state->told_sequence);
    store_words(&state->told[first], words, nwords);
    write_end(&state->told_sequence, odd);
}

void
acme_area_put_enhance(struct acme_area *area, size_t lineage,
    const struct acme_enhance *enhance, time_t hsts_since)
{
    const word words[] = { pack(enhance), enhance->hsts.max_age,
        (word)hsts_since };

    tell(area, lineage, TOLD_ENHANCE, words, sizeof(words) / sizeof(word));
}

void
acme_area_put_life(struct acme_area *area, size_t lineage, time_t issued,
    time_t not_after)
{
    const word words[] = { (word)issued, (word)not_after };

    tell(area, lineage, TOLD_ISSUED, words, sizeof(words) / sizeof(word));
}

bool
acme_area_enhance(const struct acme_area *area, size_t lineage,
    struct acme_area_enhance *out)
{
    const struct state *state;
    word words[TOLD_WORDS];
    uint32_t seen;
    int i;

    if (lineage >= area->nlineages)
        return false;
    state = &area->state[lineage];
    /* Without a nap: it is asked for by each request. */
    for (i = 0; i < YIELDS; i++) {
        let_write(i);
        if (!read_begin(&state->told_sequence, &seen))
            continue;
        load_words(words, state->told, TOLD_WORDS);
        if (!read_end(&state->told_sequence, seen))
            continue;
        unpack(words[TOLD_ENHANCE], words[TOLD_MAX_AGE], &out->enhance);
        out->hsts_since = (time_t)words[TOLD_HSTS_SINCE];
        out->issued = (time_t)words[TOLD_ISSUED];
        out->not_after = (time_t)words[TOLD_NOT_AFTER];
        return true;
    }
    return false;
}

/* ---- status ----------------------------------------------------------- */

static _Atomic word *
near(const struct acme_area *area, size_t i)
{
    return (void *)(area->near + i * NEAR_BYTES);
}

static _Atomic word *
far(const struct acme_area *area, size_t i)
{
    return (void *)(area->far + i * FAR_BYTES);
}

/* Which slot; false: none. */
static bool
find_status(const struct acme_area *area, size_t lineage, size_t *i)
{
    *i = lineage == ACME_AREA_SERVER ? area->nlineages : lineage;
    return lineage == ACME_AREA_SERVER || lineage < area->nlineages;
}

enum acme_rc
acme_area_put_status(struct acme_area *area, size_t lineage, const void *text,
    size_t len, struct acme_error *err)
{
    unsigned char image[ACME_STATUS_BYTES] = { 0 };
    size_t n = WORDS(len), first = n < NEAR_WORDS ? n : NEAR_WORDS, i;
    struct status *status;
    uint32_t odd;

    if (len > ACME_STATUS_BYTES || !find_status(area, lineage, &i))
        return acme_error_set(err, ACME_REFUSED,
            "a status of %zu bytes does not fit into the key area", len);
    memcpy(image, text, len);
    status = &area->status[i];
    odd = write_begin(&status->sequence);
    store_words(near(area, i), image, first);
    store_words(far(area, i), image + NEAR_BYTES, n - first);
    atomic_store_explicit(&status->len, (uint32_t)len, memory_order_release);
    write_end(&status->sequence, odd);

    /* After it: who reads the old text has the old stamp. */
    atomic_fetch_add_explicit(&area->head->stamp, 1, memory_order_release);
    return ACME_OK;
}

uint64_t
acme_area_status_stamp(const struct acme_area *area)
{
    return atomic_load_explicit(&area->head->stamp, memory_order_acquire);
}

/* What was appended of a text that was torn goes again. */
static void
take_back(struct acme_buf *out, size_t len)
{
    out->len = len;
    out->data[len] = '\0';
}

static enum outcome
copy_status(const struct acme_area *area, size_t i, struct acme_buf *out)
{
    const struct status *status = &area->status[i];
    const size_t before = out->len;
    size_t len, n, first;
    unsigned char *to;
    uint32_t seen;

    if (!read_begin(&status->sequence, &seen))
        return TORN;
    len = atomic_load_explicit(&status->len, memory_order_acquire);
    if (seen == 0 || len == 0 || len > ACME_STATUS_BYTES)
        return BAD;
    n = WORDS(len);
    first = n < NEAR_WORDS ? n : NEAR_WORDS;
    to = acme_buf_extend(out, n * sizeof(word));
    if (to == NULL)
        return BAD;
    load_words(to, near(area, i), first);
    if (n > first)
        load_words(to + NEAR_BYTES, far(area, i), n - first);
    take_back(out, before + len);
    if (read_end(&status->sequence, seen))
        return GOOD;
    take_back(out, before);
    return TORN;
}

bool
acme_area_status(const struct acme_area *area, size_t lineage,
    struct acme_buf *out)
{
    enum outcome outcome = TORN;
    size_t slot_number;
    int i;

    if (!find_status(area, lineage, &slot_number))
        return false;
    for (i = 0; i < TRIES && outcome == TORN; i++) {
        let_write(i);
        outcome = copy_status(area, slot_number, out);
    }
    return outcome == GOOD;
}

/* ---- challenges: writing ---------------------------------------------- */

void
acme_area_put_thumbprint(struct acme_area *area, size_t issuer,
    const char *thumbprint)
{
    char text[THUMBPRINT_WORDS * sizeof(word)] = "";
    struct thumbprint *to;
    uint32_t odd;

    if (issuer >= area->nissuers)
        return;
    to = &area->thumbprint[issuer];
    if (strlen(thumbprint) == ACME_THUMBPRINT_LEN)
        memcpy(text, thumbprint, ACME_THUMBPRINT_LEN);
    odd = write_begin(&to->sequence);
    store_words(to->text, text, THUMBPRINT_WORDS);
    write_end(&to->sequence, odd);
}

/* In which order they are kept. */
static int
compare_token(const char *name, enum acme_challenge_type type,
    const char *text, const struct acme_area_token *token)
{
    int order = strcmp(name, token->name);

    if (order == 0 && type != token->type)
        order = type < token->type ? -1 : 1;
    return order != 0 ? order : strcmp(text, token->token);
}

static int
compare_tokens(const void *a, const void *b)
{
    const struct acme_area_token *const *x = a;
    const struct acme_area_token *const *y = b;

    return compare_token((*x)->name, (*x)->type, (*x)->token, *y);
}

void
acme_area_put_tokens(struct acme_area *area,
    const struct acme_area_token *tokens, size_t ntokens)
{
    const struct acme_area_token *sorted[ACME_TOKENS_MAX];
    unsigned char image[TOKEN_WORDS * sizeof(word)] = { 0 };
    struct head *head = area->head;
    uint32_t odd, nalpn = 0;
    size_t i;

    if (ntokens > ACME_TOKENS_MAX)
        ntokens = ACME_TOKENS_MAX;
    for (i = 0; i < ntokens; i++) {
        sorted[i] = &tokens[i];
        nalpn += tokens[i].type == ACME_TLS_ALPN_01;
    }
    qsort(sorted, ntokens, sizeof(sorted[0]), compare_tokens);
    odd = write_begin(&head->token_sequence);
    for (i = 0; i < ntokens; i++) {
        memcpy(image, sorted[i], sizeof(*sorted[i]));
        store_words(head->token[i].text, image, TOKEN_WORDS);
    }
    atomic_store_explicit(&head->ntokens, (uint32_t)ntokens,
        memory_order_release);
    write_end(&head->token_sequence, odd);
    atomic_store_explicit(&head->nalpn, nalpn, memory_order_release);
}

enum acme_rc
acme_area_put_alpn_key(struct acme_area *area, size_t algorithm,
    const void *der, size_t len, struct acme_error *err)
{
    unsigned char image[ALPN_KEY_WORDS * sizeof(word)] = { 0 };
    struct alpn_key *to;
    uint32_t odd;

    if (algorithm >= ACME_ALGORITHMS || len > ACME_ALPN_KEY_MAX)
        return acme_error_set(err, ACME_REFUSED,
            "a key of %zu bytes does not fit into the key area", len);
    to = &area->head->alpn_key[algorithm];
    memcpy(image, der, len);
    odd = write_begin(&to->sequence);
    store_words(to->der, image, ALPN_KEY_WORDS);
    atomic_store_explicit(&to->len, (uint32_t)len, memory_order_release);
    write_end(&to->sequence, odd);
    return ACME_OK;
}

void
acme_area_beat(struct acme_area *area, time_t now)
{
    atomic_store_explicit(&area->head->beat, (word)now, memory_order_relaxed);
}

time_t
acme_area_last_beat(const struct acme_area *area)
{
    word at = atomic_load_explicit(&area->head->beat, memory_order_relaxed);

    return (time_t)at;
}

/* ---- challenges: reading ---------------------------------------------- */

/* What is reflected to a stranger is base64url, whatever the memory holds. */
static bool
thumbprint_ok(const char *text, size_t size)
{
    return strnlen(text, size) == ACME_THUMBPRINT_LEN &&
           acme_base64_is(text, ACME_THUMBPRINT_LEN);
}

static enum outcome
copy_thumbprint(const struct thumbprint *from, char *text)
{
    uint32_t seen;

    if (!read_begin(&from->sequence, &seen))
        return TORN;
    load_words(text, from->text, THUMBPRINT_WORDS);
    return read_end(&from->sequence, seen) ? GOOD : TORN;
}

static bool
issuer_thumbprint(const struct acme_area *area, int issuer,
    char thumbprint[ACME_THUMBPRINT_LEN + 1])
{
    char text[THUMBPRINT_WORDS * sizeof(word)];
    enum outcome outcome = BAD;
    int i;

    if (issuer < 0 || (size_t)issuer >= area->nissuers)
        return false;
    for (i = 0; i < TRIES && outcome != GOOD; i++) {
        let_write(i);
        outcome = copy_thumbprint(&area->thumbprint[issuer], text);
    }
    if (outcome != GOOD || !thumbprint_ok(text, sizeof(text)))
        return false;
    memcpy(thumbprint, text, ACME_THUMBPRINT_LEN + 1);
    return true;
}

static void
load_token(struct acme_area_token *token, const struct token *from)
{
    unsigned char image[TOKEN_WORDS * sizeof(word)];

    load_words(image, from->text, TOKEN_WORDS);
    memcpy(token, image, sizeof(*token));
    token->name[sizeof(token->name) - 1] = '\0';
    token->token[sizeof(token->token) - 1] = '\0';
}

/* The first of those that are kept not before this one, by binary search. */
static size_t
find_token(const struct head *head, size_t ntokens, const char *name,
    enum acme_challenge_type type, const char *text)
{
    struct acme_area_token token;
    size_t low = 0, high = ntokens;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        load_token(&token, &head->token[middle]);
        if (compare_token(name, type, text, &token) <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* `text` NULL: of all that name and type have, the one presented last.  GOOD
 * with *found either way. */
static enum outcome
search_tokens(const struct head *head, const char *name,
    enum acme_challenge_type type, const char *text,
    struct acme_area_token *found, bool *any)
{
    struct acme_area_token token;
    size_t i, n;
    uint32_t seen;

    *any = false;
    if (!read_begin(&head->token_sequence, &seen))
        return TORN;
    n = atomic_load_explicit(&head->ntokens, memory_order_acquire);
    if (n > ACME_TOKENS_MAX)
        return BAD;
    i = find_token(head, n, name, type, text != NULL ? text : "");
    for (; i < n; i++) {
        load_token(&token, &head->token[i]);
        if (strcmp(token.name, name) != 0 || token.type != type ||
            (text != NULL && strcmp(token.token, text) != 0))
            break;
        if (!*any || token.presented >= found->presented)
            *found = token;
        *any = true;
    }
    return read_end(&head->token_sequence, seen) ? GOOD : TORN;
}

static bool
find_pending(const struct acme_area *area, const char *name,
    enum acme_challenge_type type, const char *text,
    struct acme_area_token *token)
{
    enum outcome outcome = TORN;
    bool any = false;
    int i;

    for (i = 0; i < TRIES && outcome == TORN; i++) {
        let_write(i);
        outcome = search_tokens(area->head, name, type, text, token, &any);
    }
    return outcome == GOOD && any &&
           thumbprint_ok(token->thumbprint, sizeof(token->thumbprint));
}

static void
authorize(char answer[ACME_KEY_AUTHORIZATION_MAX + 1], const char *token,
    const char thumbprint[ACME_THUMBPRINT_LEN + 1])
{
    size_t len = strlen(token);

    memcpy(answer, token, len);
    answer[len] = '.';
    memcpy(answer + len + 1, thumbprint, ACME_THUMBPRINT_LEN + 1);
}

bool
acme_area_answer(const struct acme_area *area, const char *name, int issuer,
    const char *token, size_t token_len,
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1])
{
    char text[ACME_TOKEN_MAX + 1];
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_area_token pending;

    if (!acme_token_ok(token, token_len))
        return false;
    memcpy(text, token, token_len);
    text[token_len] = '\0';
    if (find_pending(area, name, ACME_HTTP_01, text, &pending))
        authorize(answer, text, pending.thumbprint);
    else if (issuer_thumbprint(area, issuer, thumbprint))
        authorize(answer, text, thumbprint);
    else
        return false;
    return true;
}

bool
acme_area_alpn_is_pending(const struct acme_area *area)
{
    return atomic_load_explicit(&area->head->nalpn, memory_order_relaxed) != 0;
}

bool
acme_area_alpn_answer(const struct acme_area *area, const char *server_name,
    char identifier[ACME_NAME_MAX + 1],
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1])
{
    char address[ACME_NAME_MAX + 1];
    struct acme_area_token pending;

    if (!acme_area_alpn_is_pending(area) ||
        (!find_pending(area, server_name, ACME_TLS_ALPN_01, NULL, &pending) &&
            (!acme_name_from_arpa(server_name, address) ||
                !find_pending(area, address, ACME_TLS_ALPN_01, NULL,
                    &pending))) ||
        !acme_token_ok(pending.token, strlen(pending.token)))
        return false;
    memcpy(identifier, pending.name, sizeof(pending.name));
    authorize(answer, pending.token, pending.thumbprint);
    return true;
}

static enum outcome
copy_alpn_key(const struct alpn_key *from, unsigned char *image, size_t *len)
{
    uint32_t seen;

    if (!read_begin(&from->sequence, &seen))
        return TORN;
    *len = atomic_load_explicit(&from->len, memory_order_acquire);
    load_words(image, from->der, ALPN_KEY_WORDS);
    return read_end(&from->sequence, seen) ? GOOD : TORN;
}

bool
acme_area_alpn_key(const struct acme_area *area, size_t algorithm,
    struct acme_buf *der)
{
    unsigned char image[ALPN_KEY_WORDS * sizeof(word)];
    enum outcome outcome = TORN;
    size_t len = 0;
    int i;

    for (i = 0; i < TRIES && algorithm < ACME_ALGORITHMS && outcome == TORN;
         i++) {
        let_write(i);
        outcome = copy_alpn_key(&area->head->alpn_key[algorithm], image, &len);
    }
    if (outcome != GOOD || len == 0 || len > ACME_ALPN_KEY_MAX)
        return false;
    acme_buf_add(der, image, len);
    return acme_buf_ok(der);
}
