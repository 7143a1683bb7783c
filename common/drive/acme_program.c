#define _GNU_SOURCE
#include "drive/acme_program.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/acme_limits.h"
#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_child.h"

/* Between asking it to end and killing it (ms); shorter where we are to end
 * ourselves. */
#define GRACE_MS 2000
#define GRACE_STOP_MS 300

/* Its descendants are killed for so long. */
#define KILL_MS 3000

/* Where the kernel does not wake us at its end, it is looked for. */
#define LOOK_MS 20

/* Of the last that it wrote: what is kept, and what is told. */
#define COMPLAINT_MAX 1024
#define COMPLAINT_SHOWN 240

struct run {
    const struct acme_program *program;
    pid_t pid;
    int pidfd;             /* -1: the kernel has none */
    int out, err, trouble; /* our ends; -1: closed */
    struct acme_buf *output;
    bool too_much, late, stopped;
    bool ended;
    int status;
    char complaint[COMPLAINT_MAX];
    size_t ncomplaint;
};

/* What went wrong in the child, before there was a program. */
struct trouble {
    int errnum;
    bool exec;
};

static void
close_fd(int *fd)
{
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

/* ---- in the child ----------------------------------------------------- */

/* With the groups that the user has elsewhere. */
static bool
become(uid_t uid, gid_t gid)
{
    const struct passwd *pw = getpwuid(uid);

    if ((pw != NULL ? initgroups(pw->pw_name, gid) : setgroups(1, &gid)) != 0)
        return false;
    return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

static void
reset_signals(void)
{
    struct sigaction action;
    sigset_t none;
    int sig;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_DFL;
    for (sig = 1; sig < NSIG; sig++)
        (void)sigaction(sig, &action, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static __attribute__((noreturn)) void
give_up(int trouble, bool exec)
{
    struct trouble what;
    ssize_t ignored;

    memset(&what, 0, sizeof(what));
    what.errnum = errno;
    what.exec = exec;
    ignored = write(trouble, &what, sizeof(what));
    (void)ignored;
    _exit(127);
}

/* execve() takes words it does not change by a type of before const. */
static char *const *
words(const char *const *list)
{
    union {
        const char *const *list;
        char *const *words;
    } same = { list };

    return same.words;
}

static __attribute__((noreturn)) void
execute(const struct acme_program *program, int in, int out, int err,
    int trouble)
{
    int keep[] = { trouble };

    (void)setsid();
    if (in == -1)
        in = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (in == -1 || dup2(in, 0) == -1 || dup2(out, 1) == -1 ||
        dup2(err, 2) == -1 || chdir("/") != 0)
        give_up(trouble, false);
    acme_child_close_others(keep, 1);
    umask(077);
    if (program->become && !become(program->uid, program->gid))
        give_up(trouble, false);
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
#endif
    reset_signals();
    (void)execve(program->path, words(program->argv), words(program->envp));
    give_up(trouble, true);
}

/* ---- all of its descendants ------------------------------------------- */

/* The parent of a process that is no zombie; -1: there is none. */
static long
parent_of(const char *pid)
{
    char path[64], text[512];
    const char *end;
    long parent = -1;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    end = strrchr(text, ')');
    if (end == NULL || end[1] != ' ' || end[2] == 'Z' ||
        sscanf(end + 3, " %ld", &parent) != 1)
        return -1;
    return parent;
}

static void
kill_those_of(pid_t parent)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)atol(entry->d_name);

        if (isdigit((unsigned char)entry->d_name[0]) &&
            parent_of(entry->d_name) == (long)parent)
            (void)kill(pid, SIGKILL);
    }
    if (proc != NULL)
        closedir(proc);
}

unsigned
acme_program_kill_children(unsigned ms)
{
    const long long until = acme_time_ms() + ms;
    unsigned killed = 0;
    int status = 0;
    pid_t pid;

    /* One that dies leaves us its own: until nobody is left at all.  It may
     * take more than one look to die, so they are counted when they have. */
    for (;;) {
        do {
            pid = waitpid(-1, &status, WNOHANG);
            killed += pid > 0 && WIFSIGNALED(status);
        } while (pid > 0 || (pid == -1 && errno == EINTR));
        if (pid == -1 || acme_time_ms() >= until)
            return killed;
        kill_those_of(getpid());
        (void)poll(NULL, 0, 5);
    }
}

static void
adopt_orphans(void)
{
#ifdef __linux__
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
}

/* ---- what it writes --------------------------------------------------- */

static void
take_output(struct run *run, char *data, size_t len)
{
    size_t i, kept = 0;

    for (i = 0; i < len; i++)
        if (data[i] != '\0')
            data[kept++] = data[i];
    if (run->output->len + kept > ACME_COMMAND_OUTPUT_MAX)
        run->too_much = true;
    else
        acme_buf_add(run->output, data, kept);
}

/* The end of it is what explains most. */
static void
take_complaint(struct run *run, const char *data, size_t len)
{
    size_t drop;

    if (len > COMPLAINT_MAX) {
        data += len - COMPLAINT_MAX;
        len = COMPLAINT_MAX;
    }
    if (run->ncomplaint + len > COMPLAINT_MAX) {
        drop = run->ncomplaint + len - COMPLAINT_MAX;
        run->ncomplaint -= drop;
        memmove(run->complaint, run->complaint + drop, run->ncomplaint);
    }
    memcpy(run->complaint + run->ncomplaint, data, len);
    run->ncomplaint += len;
}

/* What is there; a flood of it does not keep us from looking at the clock. */
static void
drain(struct run *run, int *fd)
{
    char data[4096];
    ssize_t n;
    int i;

    for (i = 0; i < 16 && *fd != -1; i++) {
        n = read(*fd, data, sizeof(data));
        if (n == 0)
            close_fd(fd);
        if (n <= 0)
            return;
        if (fd == &run->out && !run->program->tail)
            take_output(run, data, (size_t)n);
        else
            take_complaint(run, data, (size_t)n);
    }
}

/* The last of it, as one line. */
static const char *
complaint(const struct run *run, char out[4 * COMPLAINT_SHOWN])
{
    char text[COMPLAINT_SHOWN + 1];
    size_t from = 0, len = run->ncomplaint, i;

    while (len > 0 && isspace((unsigned char)run->complaint[len - 1]))
        len--;
    if (len > COMPLAINT_SHOWN)
        from = len - COMPLAINT_SHOWN;
    while (from < len && isspace((unsigned char)run->complaint[from]))
        from++;
    len -= from;
    memcpy(text, run->complaint + from, len);
    for (i = 0; i < len; i++)
        if (isspace((unsigned char)text[i]))
            text[i] = ' ';
    return acme_log_clean(out, 4 * (size_t)COMPLAINT_SHOWN, text, len);
}

/* ---- watching it ------------------------------------------------------ */

static bool
has_ended(struct run *run)
{
    pid_t pid;

    if (run->ended)
        return true;
    do {
        pid = waitpid(run->pid, &run->status, WNOHANG);
    } while (pid == -1 && errno == EINTR);
    run->ended = pid != 0;
    return run->ended;
}

/* Until something happens, at most `ms`. */
static void
look(struct run *run, long long ms)
{
    struct pollfd fds[5] = { { run->out, POLLIN, 0 }, { run->err, POLLIN, 0 },
        { run->pidfd, POLLIN, 0 }, { run->program->stop[0], POLLIN, 0 },
        { run->program->stop[1], POLLIN, 0 } };

    if (run->pidfd == -1 && ms > LOOK_MS)
        ms = LOOK_MS;
    /* Once we know, it need not be said again. */
    if (run->stopped)
        fds[3].fd = fds[4].fd = -1;
    (void)poll(fds, 5, (int)ms);
    drain(run, &run->out);
    drain(run, &run->err);
    if ((fds[3].revents | fds[4].revents) != 0)
        run->stopped = true;
}

static bool
is_over(const struct run *run)
{
    return run->too_much || run->late || run->stopped;
}

static void
await_end(struct run *run)
{
    const long long until =
        acme_time_ms() + (long long)run->program->timeout * 1000;
    long long left;

    while (!has_ended(run) && !is_over(run)) {
        left = until - acme_time_ms();
        if (left <= 0)
            run->late = true;
        else
            look(run, left);
    }
}

static void
end_it(struct run *run)
{
    const long long until =
        acme_time_ms() + (run->stopped ? GRACE_STOP_MS : GRACE_MS);

    (void)kill(-run->pid, SIGTERM);
    while (!has_ended(run) && acme_time_ms() < until)
        look(run, LOOK_MS);
    (void)kill(-run->pid, SIGKILL);
}

/* ---- its end in words ------------------------------------------------- */

static enum acme_rc
judge_trouble(const struct acme_program *program, const struct trouble *what,
    struct acme_error *err)
{
    struct stat st;

    if (!what->exec)
        return acme_error_errno(err, ACME_IO, what->errnum,
            "cannot prepare to run \"%s\"", program->shown);
    if (stat(program->path, &st) != 0 && errno == ENOENT)
        return acme_error_set(err, ACME_IO, "program \"%s\" does not exist",
            program->shown);
    if (what->errnum == ENOENT)
        return acme_error_set(err, ACME_IO,
            "cannot run \"%s\": the interpreter in its first line does not "
            "exist",
            program->shown);
    if (what->errnum == EACCES && (st.st_mode & 0111) == 0)
        return acme_error_set(err, ACME_IO,
            "program \"%s\" is not executable; chmod +x it", program->shown);
    return acme_error_errno(err, ACME_IO, what->errnum, "cannot run \"%s\"",
        program->shown);
}

static enum acme_rc
judge_end(const struct run *run, struct acme_error *err)
{
    char text[4 * COMPLAINT_SHOWN];
    const char *shown = run->program->shown;
    const bool said = complaint(run, text)[0] != '\0';

    if (run->stopped)
        return acme_error_set(err, ACME_STOPPING, "stopped");
    if (run->too_much)
        return acme_error_set(err, ACME_IO,
            "program \"%s\" wrote more than %zu bytes to its standard output "
            "and was killed",
            shown, ACME_COMMAND_OUTPUT_MAX);
    if (run->late)
        return acme_error_set(err, ACME_IO,
            "program \"%s\" had not ended after %u s and was killed%s%s",
            shown, run->program->timeout, said ? ": " : "", text);
    if (WIFSIGNALED(run->status))
        return acme_error_set(err, ACME_IO,
            "program \"%s\" was killed by signal %d%s%s", shown,
            WTERMSIG(run->status), said ? ": " : "", text);
    if (WEXITSTATUS(run->status) != 0)
        return acme_error_set(err, ACME_IO,
            "program \"%s\" failed with exit status %d%s%s", shown,
            WEXITSTATUS(run->status), said ? ": " : "", text);
    return acme_buf_ok(run->output) ? ACME_OK : acme_error_nomem(err);
}

static void
keep_tail(struct run *run)
{
    size_t i;

    for (i = 0; i < run->ncomplaint; i++)
        if (run->complaint[i] != '\0')
            acme_buf_add(run->output, &run->complaint[i], 1);
}

/* ---- all of it -------------------------------------------------------- */

static bool
make_pipes(int pipes[3][2])
{
    int i;

    for (i = 0; i < 3; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) != 0)
            return false;
        (void)fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
    }
    return true;
}

/* The end of a pipe with all of the input in it already; -1: there is none. */
static bool
make_input(const struct acme_program *program, int *in)
{
    int pair[2];
    bool whole;

    *in = -1;
    if (program->input == NULL)
        return true;
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    whole = write(pair[1], program->input, program->input_len) ==
            (ssize_t)program->input_len;
    close(pair[1]);
    /* The program reads as programs do. */
    (void)fcntl(pair[0], F_SETFL, 0);
    *in = pair[0];
    return whole;
}

static int
open_pid(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

/* Until it is executed, or cannot be. */
static bool
await_begin(struct run *run, struct trouble *what)
{
    struct pollfd pfd = { run->trouble, POLLIN, 0 };
    ssize_t n;

    do {
        (void)poll(&pfd, 1, -1);
        n = read(run->trouble, what, sizeof(*what));
    } while (n == -1 && (errno == EAGAIN || errno == EINTR));
    return n != (ssize_t)sizeof(*what);
}

static enum acme_rc
run_it(struct run *run, struct acme_program_end *end, struct acme_error *err)
{
    struct trouble what;
    enum acme_rc rc;

    end->began = await_begin(run, &what);
    run->pidfd = open_pid(run->pid);
    await_end(run);
    if (!run->ended)
        end_it(run);
    /* What it has written must not be waited for: others may hold the pipes
     * open. */
    drain(run, &run->out);
    drain(run, &run->err);
    end->left = acme_program_kill_children(KILL_MS);
    if (end->began && !is_over(run) && WIFEXITED(run->status))
        end->status = WEXITSTATUS(run->status);
    if (run->program->tail)
        keep_tail(run);
    rc = end->began ? judge_end(run, err)
                    : judge_trouble(run->program, &what, err);
    close_fd(&run->pidfd);
    return rc;
}

enum acme_rc
acme_program_run(const struct acme_program *program, struct acme_buf *output,
    struct acme_program_end *end, struct acme_error *err)
{
    int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    struct run run;
    enum acme_rc rc;
    int i, in = -1;

    memset(&run, 0, sizeof(run));
    memset(end, 0, sizeof(*end));
    end->status = -1;
    run.program = program;
    run.output = output;
    adopt_orphans();
    if (!make_pipes(pipes) || !make_input(program, &in)) {
        rc = acme_error_errno(err, ACME_IO, errno, "cannot make a pipe");
        goto done;
    }
    run.pid = fork();
    if (run.pid == 0)
        execute(program, in, pipes[0][1], pipes[1][1], pipes[2][1]);
    if (run.pid == -1) {
        rc = acme_error_errno(err, ACME_IO, errno, "cannot fork");
        goto done;
    }
    for (i = 0; i < 3; i++)
        close_fd(&pipes[i][1]);
    run.out = pipes[0][0];
    run.err = pipes[1][0];
    run.trouble = pipes[2][0];
    rc = run_it(&run, end, err);
    pipes[0][0] = run.out;
    pipes[1][0] = run.err;

done:
    for (i = 0; i < 3; i++) {
        close_fd(&pipes[i][0]);
        close_fd(&pipes[i][1]);
    }
    close_fd(&in);
    return rc;
}
