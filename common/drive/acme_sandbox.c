#define _GNU_SOURCE
#include "drive/acme_sandbox.h"

#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#endif

void
acme_sandbox_process(void)
{
    struct rlimit none = { 0, 0 };

    umask(077);
    (void)setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

#ifdef __linux__

/*
 * The kernel interfaces are spelled out here: the C library has no wrappers
 * for Landlock, and distribution headers are older than the kernels that
 * servers run on.
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_WRITES 0x1ff0ull /* remove_dir ... make_sym: bits 4 to 12 */
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define NET_BIND_TCP (1ull << 0)
#define NET_CONNECT_TCP (1ull << 1)

struct ruleset {
    uint64_t fs;
    uint64_t net; /* since ABI 4 */
};

struct rule {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

static long
landlock_abi(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

static bool
allow_reading(int set, const int *fds, size_t n)
{
    struct rule rule = { FS_READ_FILE, -1 };
    size_t i;

    for (i = 0; i < n; i++) {
        rule.fd = fds[i];
        if (syscall(SYS_landlock_add_rule, set, 1, &rule, 0) != 0)
            return false;
    }
    return true;
}

/* Handled rights are denied everywhere but below `fd` (-1: everywhere), files
 * below `more` may be read. */
static bool
landlock(uint64_t fs, uint64_t net, int fd, const int *more, size_t nmore)
{
    long abi = landlock_abi();
    struct ruleset ruleset = { fs, net };
    struct rule rule;
    long set;
    bool done;

    if (abi < 1)
        return false;
    if (abi < 2)
        ruleset.fs &= ~FS_REFER;
    if (abi < 3)
        ruleset.fs &= ~FS_TRUNCATE;
    if (abi < 4)
        ruleset.net = 0;

    set = syscall(SYS_landlock_create_ruleset, &ruleset,
        abi < 4 ? sizeof(ruleset.fs) : sizeof(ruleset), 0);
    if (set < 0)
        return false;

    rule.access = ruleset.fs & ~FS_EXECUTE;
    rule.fd = fd;
    done = (fd < 0 ||
               syscall(SYS_landlock_add_rule, (int)set, 1, &rule, 0) == 0) &&
           allow_reading((int)set, more, nmore) &&
           syscall(SYS_landlock_restrict_self, (int)set, 0) == 0;
    close((int)set);
    return done;
}

/* Calls that neither process has a use for, before or after a break-in. */
static const int denied[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_unshare,
    SYS_setns,
    SYS_userfaultfd,
    SYS_open_by_handle_at,
    SYS_personality,
    SYS_acct,
    SYS_quotactl,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
};

/* The store opens no socket any more; both halves of its pairs exist. */
static const int denied_store[] = { SYS_socket, SYS_connect, SYS_socketpair };

/* The engine calls and is not called.  (bind() must stay: the C library's
 * resolver uses it, on a netlink socket.) */
static const int denied_engine[] = {
    SYS_listen,
    SYS_accept4,
#ifdef SYS_accept
    SYS_accept,
#endif
};

/* Who listens is called and does not call. */
static const int denied_standalone[] = { SYS_connect, SYS_socketpair };

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MORE_MAX 8 /* calls that only one of the two is denied */

#ifdef OUR_ARCH
static void
deny(struct sock_filter *filter, unsigned short *n, int number)
{
    const struct sock_filter test =
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    const struct sock_filter refuse =
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);

    filter[(*n)++] = test;
    filter[(*n)++] = refuse;
}

static bool
seccomp(const int *more, size_t nmore)
{
    struct sock_filter filter[8 + 2 * (COUNT(denied) + MORE_MAX)];
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
            offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
        /* the x32 numbers of the same calls */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
#endif
    };
    const struct sock_filter allow =
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { 0, filter };
    size_t i;

    memcpy(filter, head, sizeof(head));
    program.len = COUNT(head);
    for (i = 0; i < COUNT(denied); i++)
        deny(filter, &program.len, denied[i]);
    for (i = 0; i < nmore && i < MORE_MAX; i++)
        deny(filter, &program.len, more[i]);
    filter[program.len++] = allow;

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
#else
static bool
seccomp(const int *more, size_t nmore)
{
    (void)more;
    (void)nmore;
    return false;
}
#endif

/* All but one (-1: all): root without CAP_CHOWN's neighbours is just the
 * owner of its files. */
static bool
drop_capabilities(int kept)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3,
        0 };
    struct __user_cap_data_struct data[2];
    int cap;

    for (cap = 0; cap <= 63; cap++) {
        if (cap != kept)
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    memset(data, 0, sizeof(data));
    if (kept != -1)
        data[0].effective = data[0].permitted = 1u << kept;
    return syscall(SYS_capset, &header, data) == 0;
}

#define FS_ALL                                                             \
    (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_WRITES | \
        FS_REFER | FS_TRUNCATE)

/* To one directory, and files to read in others. */
static void
confine(int fd, const int *read_fds, size_t nread_fds, int capability,
    struct acme_sandbox_report *report)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    report->landlock = landlock(FS_ALL, NET_BIND_TCP | NET_CONNECT_TCP, fd,
        read_fds, nread_fds);
    report->capabilities = geteuid() != 0 || drop_capabilities(capability);
    report->seccomp = seccomp(denied_store, COUNT(denied_store));
}

void
acme_sandbox_store(int state_fd, const int *read_fds, size_t nread_fds,
    struct acme_sandbox_report *report)
{
    confine(state_fd, read_fds, nread_fds, CAP_CHOWN, report);
}

void
acme_sandbox_webroot(int dir_fd, struct acme_sandbox_report *report)
{
    confine(dir_fd, NULL, 0, -1, report);
}

void
acme_sandbox_watcher(struct acme_sandbox_report *report)
{
    const uint64_t fs =
        FS_EXECUTE | FS_WRITE_FILE | FS_WRITES | FS_REFER | FS_TRUNCATE;

    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    report->landlock =
        landlock(fs, NET_BIND_TCP | NET_CONNECT_TCP, -1, NULL, 0);
    report->capabilities = geteuid() != 0 || drop_capabilities(-1);
    report->seccomp = seccomp(denied_store, COUNT(denied_store));
}

static bool
become(uid_t uid, gid_t gid)
{
    return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
           setresuid(uid, uid, uid) == 0;
}

/* What another uid would lose otherwise. */
static bool
keep_bind(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3,
        0 };
    struct __user_cap_data_struct data[2];

    memset(data, 0, sizeof(data));
    data[0].effective = data[0].permitted = 1u << CAP_NET_BIND_SERVICE;
    return syscall(SYS_capset, &header, data) == 0;
}

enum acme_rc
acme_sandbox_standalone(uid_t uid, gid_t gid,
    struct acme_sandbox_report *report, struct acme_error *err)
{
    const bool was_root = geteuid() == 0 && uid != 0;

    if (was_root && (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
                        !become(uid, gid) || !keep_bind()))
        return acme_error_errno(err, ACME_IO, errno, "cannot become user %ld",
            (long)uid);
    acme_sandbox_process();
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    report->capabilities = was_root || geteuid() != 0;
    report->landlock = landlock(FS_ALL, NET_CONNECT_TCP, -1, NULL, 0);
    report->seccomp = seccomp(denied_standalone, COUNT(denied_standalone));
    return ACME_OK;
}

enum acme_rc
acme_sandbox_engine(uid_t uid, gid_t gid, struct acme_sandbox_report *report,
    struct acme_error *err)
{
    const uint64_t fs =
        FS_EXECUTE | FS_WRITE_FILE | FS_WRITES | FS_REFER | FS_TRUNCATE;

    if (geteuid() == 0 && uid != 0 && !become(uid, gid)) {
        return acme_error_errno(err, ACME_IO, errno, "cannot become user %ld",
            (long)uid);
    }
    /* The change of user made the process dumpable by sysctl's choice. */
    acme_sandbox_process();
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    report->capabilities = geteuid() != 0;
    report->landlock = landlock(fs, NET_BIND_TCP, -1, NULL, 0);
    report->seccomp = seccomp(denied_engine, COUNT(denied_engine));
    return ACME_OK;
}

#else /* not Linux: separate users remain */

void
acme_sandbox_store(int state_fd, const int *read_fds, size_t nread_fds,
    struct acme_sandbox_report *report)
{
    (void)state_fd;
    (void)read_fds;
    (void)nread_fds;
    memset(report, 0, sizeof(*report));
}

void
acme_sandbox_watcher(struct acme_sandbox_report *report)
{
    memset(report, 0, sizeof(*report));
}

void
acme_sandbox_webroot(int dir_fd, struct acme_sandbox_report *report)
{
    (void)dir_fd;
    memset(report, 0, sizeof(*report));
}

/* It stays who it was: another user could not listen at port 80. */
enum acme_rc
acme_sandbox_standalone(uid_t uid, gid_t gid,
    struct acme_sandbox_report *report, struct acme_error *err)
{
    (void)uid;
    (void)gid;
    (void)err;
    memset(report, 0, sizeof(*report));
    return ACME_OK;
}

enum acme_rc
acme_sandbox_engine(uid_t uid, gid_t gid, struct acme_sandbox_report *report,
    struct acme_error *err)
{
    memset(report, 0, sizeof(*report));
    if (geteuid() == 0 && uid != 0 &&
        (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)) {
        return acme_error_errno(err, ACME_IO, errno, "cannot become user %ld",
            (long)uid);
    }
    return ACME_OK;
}

#endif
