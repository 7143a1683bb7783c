/*
 * Runs a fuzz target without libFuzzer: over each file of its corpus, and
 * over mutations of it that are the same every time, so that `make check`
 * finds what once was found, and something of what is new.  Speaks TAP, a
 * test per file.  Knows nothing of what a target does.
 *
 *     fuzz_json              t/fuzz/corpus/json/ with mutations
 *     fuzz_json FILE ...     just these, as they are
 *
 * An input that kills the target is left in ./fuzz_json.crash beside the
 * program, for the second form.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum {
    FILE_MAX = 256 * 1024,
    /* Mutations of one kind per file: a longer file is mutated at steps. */
    PLACES_MAX = 512,
    /* Under valgrind, which is 50 times slower. */
    PLACES_MAX_WRAPPED = 8,
    /* Of one input; a parser that needs longer hangs. */
    PATIENCE_S = 60,
    /* Of all mutations; a second or three, where there is no sanitizer. */
    ALL_MS = 30000
};

/* The input being tried, for the message when it was the last one. */
static const char *file_name, *mutation;
static size_t place;
static const uint8_t *bytes;
static size_t nbytes;
static char crash_path[4096];
static long long deadline_ms;

/* Provided by the sanitizers, which do not die of a signal. */
void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));

static void
tell(void)
{
    char line[600];
    int len = snprintf(line, sizeof(line),
        "\n# died of %s, %s at %zu; the input is in %s\n", file_name, mutation,
        place, crash_path);
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    (void)!write(STDERR_FILENO, line, (size_t)len);
    if (fd == -1)
        return;
    (void)!write(fd, bytes, nbytes);
    close(fd);
}

static void
on_signal(int number)
{
    tell();
    signal(number, SIG_DFL);
    raise(number);
}

static void
be_ready_to_die(const char *program)
{
    static const int numbers[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL,
        SIGALRM };
    size_t i;

    (void)snprintf(crash_path, sizeof(crash_path), "%s.crash", program);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(tell);
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (__sanitizer_set_death_callback == NULL || numbers[i] == SIGALRM ||
            numbers[i] == SIGABRT)
            signal(numbers[i], on_signal);
}

/* ---- inputs ----------------------------------------------------------- */

static void
try(const char *how, size_t at, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    mutation = how;
    place = at;
    bytes = copy;
    nbytes = size;
    alarm(PATIENCE_S);
    (void)LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    free(copy);
}

static long long
now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
change_byte(uint8_t *data, size_t size, size_t at)
{
    static const uint8_t odd[] = { 0x00, 0xff, '"', '\n' };
    const uint8_t was = data[at];
    size_t i;

    data[at] = was ^ (uint8_t)(1u << at % 8);
    try("a flipped bit", at, data, size);
    i = at % sizeof(odd);
    data[at] = odd[i];
    try("a strange byte", at, data, size);
    data[at] = (uint8_t)(was + 1);
    try("a byte one up", at, data, size);
    data[at] = was;
}

/* A byte taken out, one put in, and what follows said twice. */
static void
move_bytes(const uint8_t *data, size_t size, size_t at, uint8_t *room)
{
    size_t rest = size - at, twice = rest < 64 ? rest : 64;

    memcpy(room, data, at);
    memcpy(room + at, data + at + 1, rest - 1);
    try("a byte left out", at, room, size - 1);
    memcpy(room + at, data + at, twice);
    memcpy(room + at + twice, data + at, rest);
    try("something said twice", at, room, size + twice);
}

static void
mutate(uint8_t *data, size_t size)
{
    const size_t most = getenv("ACME_UNIT_WRAPPER") != NULL &&
                                getenv("ACME_UNIT_WRAPPER")[0] != '\0'
                            ? PLACES_MAX_WRAPPED
                            : PLACES_MAX;
    const size_t every = &fuzz_replay_step != NULL ? fuzz_replay_step : 1;
    const size_t step = size * every / most + 1;
    uint8_t *room = malloc(size + 64);
    size_t at;

    FUZZ_CHECK(room != NULL);
    for (at = 0; at < size && now_ms() < deadline_ms; at += step)
        try("cut", at, data, at);
    for (at = 0; at < size && now_ms() < deadline_ms; at += step) {
        change_byte(data, size, at);
        move_bytes(data, size, at, room);
    }
    free(room);
}

/* Returns its size, or FILE_MAX + 1 for what cannot be read. */
static size_t
read_file(const char *path, uint8_t *data)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t n = 1;

    while (fd != -1 && n > 0 && size <= FILE_MAX) {
        n = read(fd, data + size, FILE_MAX + 1 - size);
        size += n > 0 ? (size_t)n : 0;
    }
    if (fd != -1)
        close(fd);
    return fd != -1 && n == 0 ? size : FILE_MAX + 1;
}

static bool
replay(unsigned number, const char *path, bool mutated)
{
    static uint8_t data[FILE_MAX + 1];
    size_t size = read_file(path, data);

    file_name = path;
    if (size > FILE_MAX) {
        printf("not ok %u - %s cannot be read\n", number, path);
        return false;
    }
    try("as it is", 0, data, size);
    if (mutated)
        mutate(data, size);
    printf("ok %u - %s\n", number, path);
    (void)fflush(stdout);
    return true;
}

/* ---- the corpus ------------------------------------------------------- */

static int
visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* "t/fuzz/corpus/json" of ".../fuzz_json". */
static void
corpus_of(const char *program, char *path, size_t size)
{
    const char *base = strrchr(program, '/');

    base = base != NULL ? base + 1 : program;
    if (strncmp(base, "fuzz_", 5) == 0)
        base += 5;
    (void)snprintf(path, size, "t/fuzz/corpus/%s", base);
}

static bool
replay_corpus(const char *directory)
{
    struct dirent **entries = NULL;
    char path[1024];
    bool good = true;
    int i, n = scandir(directory, &entries, visible, alphasort);

    printf("1..%d\n", n > 0 ? n : 1);
    if (n <= 0)
        printf("not ok 1 - no corpus in %s\n", directory);
    for (i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory,
            entries[i]->d_name);
        good = replay((unsigned)i + 1, path, true) && good;
        free(entries[i]);
    }
    free(entries);
    return good && n > 0;
}

int
main(int argc, char **argv)
{
    char directory[512];
    bool good = true;
    int i;

    be_ready_to_die(argv[0]);
    deadline_ms = now_ms() + ALL_MS;
    if (argc < 2) {
        corpus_of(argv[0], directory, sizeof(directory));
        return replay_corpus(directory) ? 0 : 1;
    }
    printf("1..%d\n", argc - 1);
    for (i = 1; i < argc; i++)
        good = replay((unsigned)i, argv[i], false) && good;
    return good ? 0 : 1;
}
