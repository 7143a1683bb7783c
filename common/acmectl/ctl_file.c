/*
 * Files that a command line names.
 */
#define _GNU_SOURCE
#include "acmectl/ctl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "drive/acme_sandbox.h"
#include "state/acme_dir.h"

/* Longer than anybody types. */
#define PASSWORD_MAX 1024

/* ---- reading ---------------------------------------------------------- */

int
ctl_file_read(const char *path, bool secret, size_t max, struct acme_buf *out)
{
    char *whole = realpath(path, NULL);
    struct acme_error err;
    enum acme_rc rc;

    if (whole == NULL)
        return ctl_fail(CTL_FAILED, "cannot read \"%s\": %s", path,
            strerror(errno));
    acme_error_clear(&err);
    rc = secret ? acme_dir_read_secret(whole, geteuid(), max, out, &err)
                : acme_dir_read_public(whole, max, out, &err);
    free(whole);
    return rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

int
ctl_file_chain(const char *path, struct acme_chain **chain)
{
    struct acme_error err, ignored;
    struct acme_buf text;
    int code;

    acme_error_clear(&err);
    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_PEM_MAX);
    code = ctl_file_read(path, false, ACME_STATE_PEM_MAX, &text);
    if (code == CTL_OK &&
        acme_chain_from_pem(acme_buf_str(&text), text.len, chain, &err) !=
            ACME_OK &&
        acme_chain_from_der(text.data, text.len, chain, &ignored) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "\"%s\": %s", path, err.what);
    acme_buf_clear(&text);
    return code;
}

int
ctl_file_key(const char *path, struct acme_key **key)
{
    struct acme_error err;
    struct acme_buf text;
    int code;

    acme_error_clear(&err);
    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    code = ctl_file_read(path, true, ACME_STATE_PEM_MAX, &text);
    if (code == CTL_OK &&
        acme_key_from_pem(acme_buf_str(&text), text.len, key, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "\"%s\": %s", path, err.what);
    acme_buf_clear(&text);
    return code;
}

/* ---- writing ---------------------------------------------------------- */

int
ctl_file_create(const char *path, int *fd)
{
    *fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd != -1)
        return CTL_OK;
    if (errno == EEXIST)
        return ctl_fail(CTL_FAILED,
            "\"%s\" exists, and is left alone; name a file that does not",
            path);
    return ctl_fail(CTL_FAILED, "cannot make \"%s\": %s", path,
        strerror(errno));
}

int
ctl_file_finish(const char *path, int fd, const struct acme_buf *data)
{
    size_t done = 0;
    ssize_t n = 1;
    int why;

    while (done < data->len && n > 0) {
        n = write(fd, data->data + done, data->len - done);
        if (n == -1 && errno == EINTR)
            n = 1;
        else if (n > 0)
            done += (size_t)n;
    }
    why = errno;
    if (done == data->len && fsync(fd) == 0 && close(fd) == 0)
        return CTL_OK;
    if (done == data->len)
        why = errno;
    ctl_file_give_up(path, fd);
    return ctl_fail(CTL_FAILED, "cannot write \"%s\": %s", path,
        strerror(why));
}

void
ctl_file_give_up(const char *path, int fd)
{
    if (ftruncate(fd, 0) == -1 || unlink(path) == -1)
        (void)fprintf(stderr, "acmectl: \"%s\" is left behind: %s\n", path,
            strerror(errno));
    (void)close(fd);
}

/* ---- a password ------------------------------------------------------- */

static void
cut_line(struct acme_buf *line)
{
    size_t len = line->len;

    if (len == 0)
        return;
    line->len = strcspn((const char *)line->data, "\r\n");
    memset(line->data + line->len, 0, len - line->len);
}

/* Without an echo. */
static bool
read_line(const char *prompt, struct acme_buf *line)
{
    struct termios before, quiet;
    char c;

    if (tcgetattr(STDIN_FILENO, &before) == -1)
        return false;
    quiet = before;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    /* before anybody is asked: the quick type at once */
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == -1)
        return false;
    (void)fprintf(stderr, "%s: ", prompt);
    (void)fflush(stderr);
    while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
        acme_buf_add(line, &c, 1);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    return acme_buf_ok(line);
}

static int
ask(struct acme_buf *password)
{
    struct acme_buf again;
    int code = CTL_OK;

    acme_buf_init_secret(&again, PASSWORD_MAX);
    if (!read_line("Password for the file", password) ||
        !read_line("The same once more", &again))
        code = ctl_fail(CTL_FAILED, "cannot read a password");
    else if (strcmp(acme_buf_str(password), acme_buf_str(&again)) != 0)
        code = ctl_fail(CTL_FAILED, "these are two passwords");
    acme_buf_clear(&again);
    return code;
}

int
ctl_password(const struct ctl *ctl, const char *file, const char *option,
    struct acme_buf *password)
{
    int code;

    acme_buf_init_secret(password, PASSWORD_MAX);
    if (file != NULL)
        code = ctl_file_read(file, true, PASSWORD_MAX, password);
    else if (ctl_may_ask(ctl))
        code = ask(password);
    else
        return ctl_fail(CTL_USAGE,
            "nobody can be asked for the password: name a file that has it, "
            "with %s FILE",
            option);
    if (code != CTL_OK)
        return code;
    cut_line(password);
    return password->len > 0 ? CTL_OK
                             : ctl_fail(CTL_USAGE, "the password is empty");
}

/* ---- in a process of its own ------------------------------------------ */

int
ctl_work_apart(int (*work)(void *ctx), void *ctx, const char *what)
{
    int status = 0, code;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    if (pid == -1)
        return ctl_fail(CTL_FAILED, "cannot fork: %s", strerror(errno));
    if (pid == 0) {
        acme_sandbox_process();
        code = work(ctx);
        (void)fflush(stdout);
        _exit(code);
    }
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
        return WEXITSTATUS(status);
    return ctl_fail(CTL_FAILED, "\"%s\": the process that read it has died",
        what);
}
