/*
 * The machine around a state directory: its disk, labels of SELinux and
 * AppArmor, and what the processes of running servers are confined to.
 * Everything is read from /proc and /sys as the kernel tells it; a process
 * that cannot be seen (another container's, hidepid) is left out.
 */
#define _GNU_SOURCE /* struct statvfs's ST_ flags */
#include "acmectl/ctl_doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/acme_buf.h"
#include "drive/acme_control.h"

/* What an issuance takes is some kB; this is for all of a server. */
#define FREE_LEAST (16 * 1024 * 1024ull)
#define FREE_INODES 200

#define PROC_FILE_MAX (256 * 1024)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the disk --------------------------------------------------------- */

void
ctl_doctor_disk(struct doctor *doctor)
{
    struct statvfs fs;
    unsigned long long left;

    if (statvfs(doctor->state_dir, &fs) != 0)
        return;
    left = (unsigned long long)fs.f_bavail * fs.f_frsize;
    if ((fs.f_flag & ST_RDONLY) != 0)
        ctl_doctor_tell(doctor, "disk", true, "",
            "mount it read-write, or configure another state directory",
            "its file system is mounted read-only");
    else if (left < FREE_LEAST)
        ctl_doctor_tell(doctor, "disk", true, "", "make room",
            "%llu kB are left on its disk", left / 1024);
    if (fs.f_files > 0 && fs.f_favail < FREE_INODES)
        ctl_doctor_tell(doctor, "disk", true, "", "make room",
            "%llu inodes are left on its disk",
            (unsigned long long)fs.f_favail);
}

/* ---- /proc ------------------------------------------------------------ */

/* Appends a small file of the kernel's, made a string. */
static bool
read_file(const char *path, struct acme_buf *text)
{
    FILE *file = fopen(path, "re");
    char part[4096];
    size_t n;

    if (file == NULL)
        return false;
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        acme_buf_add(text, part, n);
    (void)fclose(file);
    return acme_buf_ok(text);
}

static void
name_proc(const struct doctor *doctor, long pid, const char *name,
    char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/proc/%ld/%s", doctor->root, pid, name);
}

static bool
read_proc(const struct doctor *doctor, long pid, const char *name,
    struct acme_buf *text)
{
    char path[PATH_MAX];

    name_proc(doctor, pid, name, path);
    acme_buf_reset(text);
    return read_file(path, text);
}

/* The value of "Key:\tvalue" in a file of that kind; NULL: there is none. */
static const char *
value_of(const struct acme_buf *text, const char *key)
{
    const char *at = acme_buf_str(text);
    size_t len = strlen(key);

    while (at != NULL && *at != '\0') {
        if (strncmp(at, key, len) == 0) {
            at += len;
            return at + strspn(at, ": \t");
        }
        at = strchr(at, '\n');
        if (at != NULL)
            at++;
    }
    return NULL;
}

static long
number_of(const struct acme_buf *text, const char *key)
{
    const char *value = value_of(text, key);

    return value != NULL ? strtol(value, NULL, 10) : -1;
}

/* ---- mandatory access control ----------------------------------------- */

static bool
selinux_enforces(const struct doctor *doctor)
{
    struct acme_buf text;
    char path[PATH_MAX];
    bool on;

    acme_buf_init(&text, 64);
    (void)snprintf(path, sizeof(path), "%s/sys/fs/selinux/enforce",
        doctor->root);
    on = read_file(path, &text) && acme_buf_str(&text)[0] == '1';
    acme_buf_clear(&text);
    return on;
}

void
ctl_doctor_label(struct doctor *doctor, const char *label)
{
    if (strstr(label, ":httpd_") == NULL && selinux_enforces(doctor))
        ctl_doctor_tell(doctor, "selinux", true, "",
            "semanage fcontext -a -t httpd_var_lib_t 'STATE(/.*)?', and "
            "restorecon -R STATE",
            "SELinux is enforcing, and the state directory's label is %s, "
            "which web servers may not write to",
            label);
}

void
ctl_doctor_labels(struct doctor *doctor)
{
    char label[256];
    ssize_t n = getxattr(doctor->state_dir, "security.selinux", label,
        sizeof(label) - 1);

    if (n <= 0)
        return;
    label[n] = '\0';
    ctl_doctor_label(doctor, label);
}

/* ---- one process of a server ------------------------------------------ */

static void
add_bool(struct acme_json *json, const char *name, bool known, bool value)
{
    if (known)
        acme_json_set_bool(json, name, value);
}

/* The directory in /proc is root's when a process of another user is not
 * dumpable; of root's own there is no telling. */
static void
add_dumpable(const struct doctor *doctor, struct acme_json *json, long pid,
    long uid)
{
    char path[PATH_MAX];
    struct stat st;

    name_proc(doctor, pid, "environ", path);
    add_bool(json, "not_dumpable", uid > 0 && stat(path, &st) == 0,
        uid > 0 && stat(path, &st) == 0 && st.st_uid == 0);
}

static void
add_core(const struct doctor *doctor, struct acme_json *json, long pid,
    struct acme_buf *text)
{
    const char *limit = NULL;

    if (read_proc(doctor, pid, "limits", text))
        limit = value_of(text, "Max core file size");
    add_bool(json, "no_core", limit != NULL,
        limit != NULL && strtol(limit, NULL, 10) == 0 &&
            isdigit((unsigned char)limit[0]));
}

/* No capability, or CAP_CHOWN alone. */
static bool
has_few(const struct acme_buf *status)
{
    const char *caps = value_of(status, "CapEff");

    return caps != NULL && (strtoull(caps, NULL, 16) & ~1ull) == 0;
}

static void
judge(struct doctor *doctor, const struct acme_json *json, const char *comm,
    long pid)
{
    static const char *const names[] = { "capabilities_dropped",
        "no_new_privs", "seccomp", "no_core", "not_dumpable" };
    static const char *const words[] = { "has capabilities that it should "
                                         "have given up",
        "can gain privileges by execve(2)",
        "is not confined by seccomp; the kernel may lack it",
        "may leave a core file, which would hold keys",
        "is dumpable: processes of its user can read its memory" };
    size_t i;

    for (i = 0; i < COUNT(names); i++)
        if (!acme_json_bool(json, names[i], true))
            ctl_doctor_tell(doctor, "hardening", false, "", NULL,
                "%s (process %ld) %s", comm, pid, words[i]);
}

/* What it is confined to, if it is one of ours.  (The runner starts programs
 * of the operator's: it cannot give up anything.) */
static void
look_at_process(struct doctor *doctor, const char *server, long pid,
    struct acme_buf *text)
{
    struct acme_json *json;
    char comm[32];
    long uid;

    if (!read_proc(doctor, pid, "comm", text))
        return;
    (void)snprintf(comm, sizeof(comm), "%.*s",
        (int)strcspn(acme_buf_str(text), "\n"), acme_buf_str(text));
    if (strcmp(comm, "acme-store") != 0 && strcmp(comm, "acme-engine") != 0)
        return;
    if (!read_proc(doctor, pid, "status", text))
        return;
    json = acme_json_object();
    uid = number_of(text, "Uid");
    acme_json_set_str(json, "server", server);
    acme_json_set_str(json, "process", comm);
    acme_json_set_int(json, "pid", pid);
    acme_json_set_int(json, "uid", uid);
    add_bool(json, "capabilities_dropped", value_of(text, "CapEff") != NULL,
        has_few(text));
    add_bool(json, "no_new_privs", number_of(text, "NoNewPrivs") >= 0,
        number_of(text, "NoNewPrivs") == 1);
    add_bool(json, "seccomp", number_of(text, "Seccomp") >= 0,
        number_of(text, "Seccomp") == 2);
    add_core(doctor, json, pid, text);
    add_dumpable(doctor, json, pid, uid);
    judge(doctor, json, comm, pid);
    acme_json_append(doctor->helpers, json);
}

/* ---- one server ------------------------------------------------------- */

/* Of the mount that `path` is on in the process's view; NULL: not found.
 * Points into `text`: "/mnt rw,... - type source options". */
static const char *
mount_of(const struct acme_buf *text, const char *path)
{
    const char *line = acme_buf_str(text), *best = NULL;
    size_t longest = 0;

    while (*line != '\0') {
        const char *at = line;
        size_t field, len;

        for (field = 0; field < 4; field++) {
            at += strcspn(at, " \n");
            at += *at == ' ';
        }
        len = strcspn(at, " \n");
        if (len >= longest && strncmp(at, path, len) == 0 &&
            (len == 1 || path[len] == '/' || path[len] == '\0')) {
            longest = len;
            best = at;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return best;
}

/* "nginx.service" of "0::/system.slice/nginx.service". */
static void
unit_of(const struct doctor *doctor, long pid, struct acme_buf *text,
    char unit[128])
{
    const char *end, *at;

    (void)snprintf(unit, 128, "its unit");
    if (!read_proc(doctor, pid, "cgroup", text))
        return;
    end = strstr(acme_buf_str(text), ".service");
    for (at = end; at != NULL && at > acme_buf_str(text) && at[-1] != '/';)
        at--;
    if (at != NULL && end - at < 100)
        (void)snprintf(unit, 128, "%.*s.service", (int)(end - at), at);
}

/* A service of systemd may have a view of its own of the file system. */
static void
look_at_view(struct doctor *doctor, long pid, struct acme_buf *text)
{
    char real[4096], unit[128], cure[400];
    const char *mount;

    if (realpath(doctor->state_dir, real) == NULL ||
        !read_proc(doctor, pid, "mountinfo", text))
        return;
    mount = mount_of(text, real);
    if (mount == NULL)
        return;
    mount += strcspn(mount, " \n");
    if (strncmp(mount, " ro", 3) != 0 || (mount[3] != ',' && mount[3] != ' '))
        return;
    unit_of(doctor, pid, text, unit);
    (void)snprintf(cure, sizeof(cure),
        "systemctl edit %s: [Service] ReadWritePaths=%.200s", unit,
        doctor->state_dir);
    ctl_doctor_tell(doctor, "systemd", true, "", cure,
        "process %ld of the server sees the state directory read-only "
        "(ProtectSystem= of its unit?)",
        pid);
}

static void
look_at_apparmor(struct doctor *doctor, long pid, struct acme_buf *text)
{
    const char *profile;

    if (!read_proc(doctor, pid, "attr/apparmor/current", text) ||
        strstr(acme_buf_str(text), "(enforce)") == NULL)
        return;
    profile = acme_buf_str(text);
    ctl_doctor_tell(doctor, "apparmor", false, "",
        "its profile has to allow reading and writing the state directory",
        "the server is confined by the AppArmor profile %.*s",
        (int)strcspn(profile, " \n"), profile);
}

/* Children of the supervisor, which is the parent of the store that the
 * server's description names: read, never believed for anything but showing.
 */
static void
look_at_family(struct doctor *doctor, const char *server, long parent,
    struct acme_buf *text)
{
    const struct dirent *entry;
    char path[PATH_MAX];
    DIR *proc;
    long pid;

    (void)snprintf(path, sizeof(path), "%s/proc", doctor->root);
    proc = opendir(path);
    if (proc == NULL)
        return;
    while ((entry = readdir(proc)) != NULL) {
        pid = isdigit((unsigned char)entry->d_name[0])
                  ? strtol(entry->d_name, NULL, 10)
                  : 0;
        if (pid > 0 && read_proc(doctor, pid, "status", text) &&
            number_of(text, "PPid") == parent)
            look_at_process(doctor, server, pid, text);
    }
    (void)closedir(proc);
}

void
ctl_doctor_server(struct doctor *doctor,
    const struct acme_control_server *server)
{
    struct acme_buf text;
    long parent;

    acme_buf_init(&text, PROC_FILE_MAX);
    if (read_proc(doctor, server->pid, "comm", &text) &&
        strncmp(acme_buf_str(&text), "acme-store\n", 11) == 0 &&
        read_proc(doctor, server->pid, "status", &text)) {
        parent = number_of(&text, "PPid");
        look_at_family(doctor, server->server, parent, &text);
        look_at_view(doctor, server->pid, &text);
        look_at_apparmor(doctor, server->pid, &text);
    } else {
        ctl_doctor_tell(doctor, "hardening", false, "", NULL,
            "the processes of a server (%s, %s) cannot be seen from here; "
            "they may be in a container",
            server->server, server->config);
    }
    acme_buf_clear(&text);
}

static enum acme_rc
visit_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    (void)err;
    ctl_doctor_server(ctx, server);
    return ACME_OK;
}

/* Landlock shows in no file of /proc: whether the kernel has it. */
static void
look_at_landlock(struct doctor *doctor)
{
#ifdef SYS_landlock_create_ruleset
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1)
        return;
#endif
    ctl_doctor_tell(doctor, "hardening", false, "",
        "Linux 5.13 and newer have it, if \"landlock\" is among lsm= of the "
        "kernel's command line",
        "the kernel has no Landlock: users and seccomp alone confine the "
        "processes of servers");
}

void
ctl_doctor_servers(struct doctor *doctor)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_control_servers(acme_store_fd(doctor->store), visit_server,
            doctor, &err) != ACME_OK)
        ctl_doctor_tell(doctor, "unusable", true, "servers", NULL, "%s",
            err.what);
    look_at_landlock(doctor);
}
