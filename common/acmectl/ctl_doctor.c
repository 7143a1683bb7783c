/*
 * Looks at a state directory and the machine it is on, says in plain words
 * what is the matter and what to do, and repairs what has one right answer.
 * What it judges below the state directory is state/acme_store_check.h's, the
 * machine ctl_doctor_host.c's.
 */
#include "acmectl/ctl_doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_status.h"
#include "state/acme_dir.h"
#include "state/acme_store_check.h"

/* A clock that is this far from a CA's (seconds) is wrong: answers of OCSP
 * responders and new certificates are refused. */
#define CLOCK_WRONG 300

static void
add(struct doctor *doctor, const char *check, bool wrong, bool repaired,
    const char *path, const char *what, const char *cure)
{
    struct acme_json *one = acme_json_object();

    acme_json_set_str(one, "check", check);
    acme_json_set_str(one, "result",
        repaired ? "repaired"
        : wrong  ? "wrong"
                 : "note");
    acme_json_set_str(one, "path", path[0] != '\0' ? path : NULL);
    acme_json_set_str(one, "what", what);
    acme_json_set_str(one, "cure",
        cure != NULL && cure[0] != '\0' ? cure : NULL);
    acme_json_append(doctor->findings, one);
    doctor->nwrong += wrong && !repaired;
    doctor->nrepaired += repaired;
}

void
ctl_doctor_tell(struct doctor *doctor, const char *check, bool wrong,
    const char *path, const char *cure, const char *fmt, ...)
{
    char what[512], clean[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    add(doctor, check, wrong, false, path,
        acme_log_clean(clean, sizeof(clean), what, strlen(what)), cure);
}

static enum acme_rc
on_finding(void *ctx, const struct acme_finding *finding,
    struct acme_error *err)
{
    (void)err;
    add(ctx, acme_ailment_word(finding->ailment), finding->wrong,
        finding->repaired, finding->path, finding->what, finding->cure);
    return ACME_OK;
}

/* ---- the directory itself --------------------------------------------- */

static void
look_at_mode(struct doctor *doctor, const struct stat *st)
{
    const unsigned is = (unsigned)(st->st_mode & 07777);
    const unsigned group = st->st_gid != getegid() ? is & 0050 : 0;

    if (is == (0700 | group))
        return;
    /* opening it for writing does that, once it is known to be ours */
    if (doctor->repairs)
        add(doctor, "mode", true, true, "",
            "the state directory's mode let others in", NULL);
    else
        ctl_doctor_tell(doctor, "mode", (is & 0077) != group || is < 0700, "",
            "chmod 0700 it, or let --repair do so",
            "the state directory's mode is %04o instead of 0700", is);
}

static void
tell_owner(struct doctor *doctor)
{
    if (doctor->owner == 0)
        return;
    ctl_doctor_tell(doctor, "separation", false, "",
        "start the server as root if keys are to be kept from what it runs",
        "the state directory belongs to uid %lu: whatever runs as that user, "
        "web applications too, can read every key and change what is served",
        (unsigned long)doctor->owner);
}

/* Opening for writing removes what writers without a lock have left. */
static enum acme_rc
on_swept(void *ctx, const struct acme_finding *finding, struct acme_error *err)
{
    struct doctor *doctor = ctx;

    (void)err;
    if (finding->ailment == ACME_AILMENT_TEMPORARY &&
        strncmp(finding->path, "archive/", 8) != 0 &&
        strncmp(finding->path, "orders/", 7) != 0)
        add(doctor, acme_ailment_word(finding->ailment), true, true,
            finding->path, finding->what, NULL);
    return ACME_OK;
}

static void
note_swept(struct doctor *doctor)
{
    struct acme_store_check check = { .now = time(NULL),
        .visit = on_swept,
        .ctx = doctor };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_store_open(doctor->state_dir, ACME_STORE_READ, &check.store,
            &ignored) == ACME_OK)
        (void)acme_store_check_objects(&check, &ignored);
    acme_store_close(check.store);
}

/* Read-only unless it is to be repaired; what cannot be read as it is may
 * still be salvaged. */
static void
open_state(struct doctor *doctor)
{
    struct acme_error err, ignored;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_error_clear(&ignored);
    rc = acme_dir_check(doctor->state_dir, doctor->owner, &err);
    if (rc != ACME_OK) {
        ctl_doctor_tell(doctor, "ancestor", true, "", NULL, "%s", err.what);
        return;
    }
    if (doctor->ctl->repair)
        note_swept(doctor);
    rc = acme_store_open(doctor->state_dir,
        doctor->ctl->repair ? ACME_STORE_WRITE : ACME_STORE_READ,
        &doctor->store, &err);
    doctor->repairs = rc == ACME_OK && doctor->ctl->repair;
    if (rc == ACME_OK)
        return;
    ctl_doctor_tell(doctor, "unusable", true, "", NULL, "%s", err.what);
    (void)acme_store_open(doctor->state_dir, ACME_STORE_SALVAGE,
        &doctor->store, &ignored);
}

/* ---- what is in it ---------------------------------------------------- */

static enum acme_rc
look_at_clock(void *ctx, const char *name, struct acme_error *err)
{
    struct doctor *doctor = ctx;
    struct acme_status_lineage status;
    enum acme_rc rc = acme_status_lineage(doctor->store, name, time(NULL),
        NULL, &status, err);
    long long ahead;

    if (rc != ACME_OK)
        return rc;
    ahead = (long long)acme_json_int(status.json, "clock_ahead", 0);
    if (ahead > CLOCK_WRONG || ahead < -CLOCK_WRONG)
        ctl_doctor_tell(doctor, "clock", true, "",
            "set the clock, and keep it by NTP",
            "the CA's clock was %lld seconds %s ours when %s was last "
            "renewed",
            ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of",
            name);
    acme_json_free(status.json);
    return ACME_OK;
}

static enum acme_rc
look_below(struct doctor *doctor, struct acme_store_check *check,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;

    check->store = doctor->store;
    check->repair = doctor->repairs;
    check->now = time(NULL);
    check->visit = on_finding;
    check->ctx = doctor;
    /* what a crash left is better put right than told of */
    if (check->repair)
        rc = acme_store_check_lineages(check, err);
    if (rc == ACME_OK)
        rc = acme_store_check_objects(check, err);
    if (rc == ACME_OK && !check->repair)
        rc = acme_store_check_lineages(check, err);
    if (rc == ACME_OK)
        rc = acme_store_check_accounts(check, err);
    if (rc == ACME_OK)
        rc = acme_store_lineages(doctor->store, look_at_clock, doctor, err);
    return rc;
}

/* ---- the report ------------------------------------------------------- */

static void
print_finding(const struct acme_json *one)
{
    const char *path = acme_json_str(one, "path");
    const char *cure = acme_json_str(one, "cure");

    (void)printf("%-9s %s%s%s\n", acme_json_str(one, "result"),
        path != NULL ? path : "", path != NULL ? ": " : "",
        acme_json_str(one, "what"));
    if (cure != NULL)
        (void)printf("%-9s -> %s\n", "", cure);
}

static void
print_helper(const struct acme_json *one)
{
    static const char *const locks[] = { "capabilities_dropped",
        "no_new_privs", "seccomp", "no_core", "not_dumpable" };
    static const char *const names[] = { "capabilities dropped",
        "no new privileges", "seccomp", "no core files", "not dumpable" };
    size_t i;

    (void)printf("%-9s %s %lld, uid %lld", "process",
        acme_json_str(one, "process"), (long long)acme_json_int(one, "pid", 0),
        (long long)acme_json_int(one, "uid", 0));
    for (i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
        if (acme_json_get(one, locks[i]) != NULL)
            (void)printf(", %s%s",
                acme_json_bool(one, locks[i], false) ? "" : "NOT ", names[i]);
    (void)putchar('\n');
}

static void
print_text(const struct doctor *doctor, const struct acme_store_check *check)
{
    size_t i;

    (void)printf("%s: %zu objects, %zu lineages, %zu versions\n",
        doctor->state_dir, check->nobjects, check->nlineages,
        check->nversions);
    for (i = 0; i < acme_json_count(doctor->helpers); i++)
        print_helper(acme_json_at(doctor->helpers, i));
    for (i = 0; i < acme_json_count(doctor->findings); i++) {
        const struct acme_json *one = acme_json_at(doctor->findings, i);

        if (!doctor->ctl->quiet ||
            strcmp(acme_json_str(one, "result"), "note") != 0)
            print_finding(one);
    }
    if (doctor->nwrong > 0)
        (void)printf("%u %s wrong\n", doctor->nwrong,
            doctor->nwrong == 1 ? "thing is" : "things are");
    else
        (void)printf("sound\n");
}

static void
add_report(struct doctor *doctor, const struct acme_store_check *check,
    struct acme_json *list)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "state_dir", doctor->state_dir);
    acme_json_set_bool(json, "sound", doctor->nwrong == 0);
    acme_json_set_bool(json, "separated", doctor->owner == 0);
    acme_json_set_int(json, "objects", (int64_t)check->nobjects);
    acme_json_set_int(json, "lineages", (int64_t)check->nlineages);
    acme_json_set_int(json, "versions", (int64_t)check->nversions);
    acme_json_set_int(json, "wrong", doctor->nwrong);
    acme_json_set_int(json, "repaired", doctor->nrepaired);
    acme_json_set(json, "findings", doctor->findings);
    acme_json_set(json, "processes", doctor->helpers);
    doctor->findings = doctor->helpers = NULL;
    acme_json_append(list, json);
}

/* ---- the verb --------------------------------------------------------- */

static int
look_at(struct doctor *doctor, struct acme_json *list)
{
    struct acme_store_check check = { 0 };
    struct acme_error err;
    struct stat st;
    int code = ctl_become(doctor->state_dir, &st);

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    doctor->owner = st.st_uid;
    doctor->findings = acme_json_array();
    doctor->helpers = acme_json_array();
    open_state(doctor);
    look_at_mode(doctor, &st);
    tell_owner(doctor);
    if (doctor->store != NULL && look_below(doctor, &check, &err) != ACME_OK)
        ctl_doctor_tell(doctor, "unusable", true, "", NULL, "%s", err.what);
    ctl_doctor_disk(doctor);
    ctl_doctor_labels(doctor);
    if (doctor->store != NULL)
        ctl_doctor_servers(doctor);
    if (list != NULL)
        add_report(doctor, &check, list);
    else if (!doctor->ctl->quiet || doctor->nwrong > 0)
        print_text(doctor, &check);
    acme_json_free(doctor->findings);
    acme_json_free(doctor->helpers);
    acme_store_close(doctor->store);
    return doctor->nwrong > 0 ? CTL_FAILED : CTL_OK;
}

int
ctl_doctor(struct ctl *ctl)
{
    struct acme_json *list = NULL;
    int code, one;
    size_t i;

    if (ctl->argc > 0)
        return ctl_fail(CTL_USAGE, "doctor: unexpected \"%s\"", ctl->argv[0]);
    code = ctl_find_states(ctl);
    if (code != CTL_OK)
        return code;
    if (ctl->repair && ctl->nstates > 1)
        return ctl_fail(CTL_USAGE,
            "there are %zu state directories (%s, %s); say which to repair "
            "with --state-dir",
            ctl->nstates, ctl->state[0], ctl->state[1]);
    if (ctl->json)
        list = acme_json_array();
    for (i = 0; i < ctl->nstates; i++) {
        struct doctor doctor = { .ctl = ctl,
            .state_dir = ctl->state[i],
            .root = "" };

        one = look_at(&doctor, list);
        if (one != CTL_OK)
            code = one;
    }
    if (ctl->json && ctl_print_json(list) != CTL_OK)
        return CTL_FAILED;
    return code;
}
