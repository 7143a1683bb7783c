/*
 * A private directory below /tmp for one test, and short words for putting
 * things into it.  Everything fails the running cmocka test on an error.
 * Paths are relative to the directory.
 */
#ifndef HELPER_TMP_H
#define HELPER_TMP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct helper_tmp {
    char path[64]; /* absolute */
    int fd;
};

void helper_tmp_init(struct helper_tmp *tmp);
/* In memory where that is possible: for thousands of small files. */
void helper_tmp_init_fast(struct helper_tmp *tmp);
/* Removes it with all below it, following no link. */
void helper_tmp_clear(struct helper_tmp *tmp);

/* "PATH/NAME" in one of a few buffers that are used in turn. */
const char *helper_tmp_path(const struct helper_tmp *tmp, const char *name);

void helper_tmp_write(const struct helper_tmp *tmp, const char *name,
    const void *data, size_t len);
void helper_tmp_puts(const struct helper_tmp *tmp, const char *name,
    const char *text);
/* A file's content, malloc()ed and ended by NUL; NULL: no such file. */
char *helper_tmp_gets(const struct helper_tmp *tmp, const char *name);
void helper_tmp_mkdir(const struct helper_tmp *tmp, const char *name);
void helper_tmp_link(const struct helper_tmp *tmp, const char *target,
    const char *name);
void helper_tmp_fifo(const struct helper_tmp *tmp, const char *name);
bool helper_tmp_exists(const struct helper_tmp *tmp, const char *name);
/* Permission bits (07777). */
mode_t helper_tmp_mode(const struct helper_tmp *tmp, const char *name);
/* Entries of a directory, hidden ones too, without "." and "..". */
size_t helper_tmp_count(const struct helper_tmp *tmp, const char *name);

/* Removes `name` (a tree). */
void helper_tmp_remove(const struct helper_tmp *tmp, const char *name);

#endif
