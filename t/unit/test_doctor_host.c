/*
 * acmectl/ctl_doctor_host.c: what doctor makes of /proc and /sys, in trees as
 * kernels with SELinux, AppArmor and systemd show them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acmectl/ctl_doctor.h"
#include "drive/acme_control.h"
#include "helper_tmp.h"

enum {
    SUPERVISOR = 100,
    STORE = 101,
    ENGINE = 102,
    RUNNER = 103
};

struct world {
    struct helper_tmp tmp;
    struct doctor doctor;
    char root[80], state_dir[96];
    char told[4096]; /* "CHECK wrong|note: what -> cure\n" */
};

static struct world *current; /* of ctl_doctor_tell() */

void
ctl_doctor_tell(struct doctor *doctor, const char *check, bool wrong,
    const char *path, const char *cure, const char *fmt, ...)
{
    char what[1024];
    size_t n = strlen(current->told);
    va_list args;

    (void)doctor;
    (void)path;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    (void)snprintf(current->told + n, sizeof(current->told) - n,
        "%s %s: %s -> %s\n", check, wrong ? "wrong" : "note", what,
        cure != NULL ? cure : "-");
}

/* ---- the world -------------------------------------------------------- */

static void
put(struct world *w, long pid, const char *file, const char *text)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "proc/%ld/%s", pid, file);
    helper_tmp_puts(&w->tmp, name, text);
}

#define HARDENED "CapEff:\t0000000000000001\nNoNewPrivs:\t1\nSeccomp:\t2\n"

static void
put_process(struct world *w, long pid, const char *comm, long parent,
    const char *rest)
{
    char name[64], text[256];

    (void)snprintf(name, sizeof(name), "proc/%ld", pid);
    if (!helper_tmp_exists(&w->tmp, name))
        helper_tmp_mkdir(&w->tmp, name);
    (void)snprintf(text, sizeof(text), "%s\n", comm);
    put(w, pid, "comm", text);
    (void)snprintf(text, sizeof(text),
        "Name:\t%s\nPPid:\t%ld\nUid:\t0\t0\t0\t0\n%s", comm, parent, rest);
    put(w, pid, "status", text);
    put(w, pid, "limits",
        "Limit                     Soft Limit\n"
        "Max core file size        0                    0\n");
}

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    helper_tmp_init(&w->tmp);
    (void)snprintf(w->root, sizeof(w->root), "%s", w->tmp.path);
    helper_tmp_mkdir(&w->tmp, "acme");
    (void)snprintf(w->state_dir, sizeof(w->state_dir), "%s/acme", w->tmp.path);
    helper_tmp_mkdir(&w->tmp, "proc");
    helper_tmp_mkdir(&w->tmp, "sys");
    helper_tmp_mkdir(&w->tmp, "sys/fs");
    helper_tmp_mkdir(&w->tmp, "sys/fs/selinux");
    w->doctor.root = w->root;
    w->doctor.state_dir = w->state_dir;
    w->doctor.helpers = acme_json_array();
    put_process(w, STORE, "acme-store", SUPERVISOR, HARDENED);
    put_process(w, ENGINE, "acme-engine", SUPERVISOR, HARDENED);
    put_process(w, RUNNER, "acme-runner", SUPERVISOR, "");
    current = w;
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_json_free(w->doctor.helpers);
    helper_tmp_clear(&w->tmp);
    free(w);
    return 0;
}

static void
look(struct world *w)
{
    struct acme_control_server server = { .server = "nginx",
        .config = "/etc/nginx/nginx.conf",
        .pid = STORE };

    w->told[0] = '\0';
    ctl_doctor_server(&w->doctor, &server);
}

static void
expect_told(const struct world *w, const char *part)
{
    if (strstr(w->told, part) == NULL)
        fail_msg("not told: %s\nbut: %s", part, w->told);
}

/* ---- tests ------------------------------------------------------------ */

static void
test_sound(void **state)
{
    struct world *w = *state;
    const struct acme_json *store;

    put_process(w, 200, "acme-engine", 199, ""); /* somebody else's */
    look(w);
    assert_string_equal(w->told, "");
    assert_int_equal(acme_json_count(w->doctor.helpers), 2);
    store = acme_json_at(w->doctor.helpers, 0);
    assert_true(acme_json_bool(store, "capabilities_dropped", false));
    assert_true(acme_json_bool(store, "no_core", false));
}

static void
test_hardening(void **state)
{
    struct world *w = *state;

    put_process(w, ENGINE, "acme-engine", SUPERVISOR,
        "CapEff:\t0000000000200001\nNoNewPrivs:\t0\nSeccomp:\t0\n");
    put(w, ENGINE, "limits",
        "Max core file size        unlimited            unlimited\n");
    look(w);
    expect_told(w, "hardening note: acme-engine (process 102) has cap");
    expect_told(w, "(process 102) can gain privileges");
    expect_told(w, "(process 102) is not confined by seccomp");
    expect_told(w, "(process 102) may leave a core file");
    assert_null(strstr(w->told, "101"));
}

static void
test_invisible(void **state)
{
    struct world *w = *state;

    put(w, STORE, "comm", "bash\n");
    look(w);
    expect_told(w, "(nginx, /etc/nginx/nginx.conf) cannot be seen from here");
    assert_int_equal(acme_json_count(w->doctor.helpers), 0);
}

static void
test_selinux(void **state)
{
    static const struct {
        const char *enforce, *label;
        bool wrong;
    } cases[] = {
        { "1", "unconfined_u:object_r:var_lib_t:s0", true },
        { "1", "system_u:object_r:httpd_var_lib_t:s0", false },
        { "1", "system_u:object_r:httpd_sys_rw_content_t:s0", false },
        { "0", "unconfined_u:object_r:var_lib_t:s0", false },
        { NULL, "unconfined_u:object_r:var_lib_t:s0", false },
    };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        w->told[0] = '\0';
        if (cases[i].enforce != NULL)
            helper_tmp_puts(&w->tmp, "sys/fs/selinux/enforce",
                cases[i].enforce);
        else
            helper_tmp_remove(&w->tmp, "sys/fs/selinux/enforce");
        ctl_doctor_label(&w->doctor, cases[i].label);
        if (!cases[i].wrong) {
            assert_string_equal(w->told, "");
            continue;
        }
        expect_told(w, "selinux wrong: SELinux is enforcing");
        expect_told(w, cases[i].label);
        expect_told(w, "-> semanage fcontext -a -t httpd_var_lib_t");
    }
}

static void
test_apparmor(void **state)
{
    static const struct {
        const char *current;
        bool told;
    } cases[] = {
        { "unconfined\n", false },
        { "/usr/sbin/nginx (complain)\n", false },
        { "/usr/sbin/nginx (enforce)\n", true },
    };
    struct world *w = *state;
    size_t i;

    helper_tmp_mkdir(&w->tmp, "proc/101/attr");
    helper_tmp_mkdir(&w->tmp, "proc/101/attr/apparmor");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(w, STORE, "attr/apparmor/current", cases[i].current);
        look(w);
        if (cases[i].told)
            expect_told(w,
                "apparmor note: the server is confined by the "
                "AppArmor profile /usr/sbin/nginx -> its profile has to");
        else
            assert_string_equal(w->told, "");
    }
}

/* The longest mount point that the directory is below counts, of several the
 * last one. */
static void
test_systemd(void **state)
{
    static const struct {
        const char *above, *own;
        bool wrong;
    } cases[] = {
        { "rw,relatime", NULL, false },
        { "ro,relatime", NULL, true },
        { "ro", "rw,noatime", false },
        { "rw", "ro,noatime", true },
        { "rw", "root=x", false },
    };
    char text[512], path[96];
    struct world *w = *state;
    size_t i, n;

    /* how the directory's path begins, and not above it */
    (void)snprintf(path, sizeof(path), "%.*s", (int)strlen(w->state_dir) - 1,
        w->state_dir);
    put(w, STORE, "cgroup", "0::/system.slice/nginx.service\n");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = (size_t)snprintf(text, sizeof(text),
            "20 1 8:1 / / %s - ext4 /dev/sda rw\n"
            "21 20 8:1 / %s ro - tmpfs none rw\n",
            cases[i].above, path);
        if (cases[i].own != NULL)
            (void)snprintf(text + n, sizeof(text) - n,
                "22 20 8:1 /acme %s %s shared:9 - ext4 /dev/sda rw\n",
                w->state_dir, cases[i].own);
        put(w, STORE, "mountinfo", text);
        look(w);
        if (!cases[i].wrong) {
            assert_string_equal(w->told, "");
            continue;
        }
        expect_told(w, "systemd wrong: process 101 of the server sees the "
                       "state directory read-only");
        expect_told(w, "-> systemctl edit nginx.service: [Service] "
                       "ReadWritePaths=/");
    }
    put(w, STORE, "cgroup", "0::/user.slice\n");
    put(w, STORE, "mountinfo", "20 1 8:1 / / ro - ext4 /dev/sda rw\n");
    look(w);
    expect_told(w, "systemctl edit its unit");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sound),
        TEST(test_hardening),
        TEST(test_invisible),
        TEST(test_selinux),
        TEST(test_apparmor),
        TEST(test_systemd),
    };

    return cmocka_run_group_tests_name("doctor_host", tests, NULL, NULL);
}
