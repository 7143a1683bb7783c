/*
 * What the files behind acme_runner.h share: the process and its queue
 * (acme_runner.c), and what its handlers do, a process each: records of the
 * DNS (_dns.c), hooks and events (_stage.c), tracking (_track.c).
 */
#ifndef ACME_RUNNER_PRIVATE_H
#define ACME_RUNNER_PRIVATE_H

#include "drive/acme_batch.h"
#include "drive/acme_errand.h"
#include "drive/acme_program.h"
#include "drive/acme_runner.h"
#include "drive/acme_stage.h"
#include "drive/acme_stage_ask.h"

/* One that was asked for. */
struct acme_task {
    bool used;
    pid_t pid; /* of its handler; 0: it waits */
    unsigned long long number;
    bool of_store; /* whose socket has the answer; else: */
    int answer;
    uint32_t lineage;
    struct acme_buf frame;
    bool is_stage; /* then: */
    struct acme_stage_ask ask;
    struct acme_arena *arena; /* of the rest */
    struct acme_stage_list list;
    struct acme_batch *batch; /* that it ends, or NULL; its: */
    const char *renewed, *failed;
};

struct acme_runner {
    const struct acme_config *config;
    struct acme_child *child;
    struct acme_host host;
    bool holds;  /* post hooks wait until the store says so */
    int life[2]; /* handlers see its end when we are gone */
    unsigned long long count;
    struct acme_stage_places places;
    struct acme_batch *batch;
    struct acme_task task[ACME_ERRANDS_MAX];
};

const struct acme_lineage *acme_task_lineage(const struct acme_runner *runner,
    const struct acme_task *task);

/* Who runs which hooks, once, where it is not root.  False: out of memory. */
bool acme_runner_tell_hooks(const struct acme_runner *runner);

/*
 * In the runner: settles what the task, a stage, is to run.  ACME_NOMEM.
 */
enum acme_rc acme_runner_settle_stage(struct acme_runner *runner,
    struct acme_task *task, struct acme_error *err);

/* Answers a stage that has nothing to run. */
void acme_runner_answer_nothing(const struct acme_runner *runner,
    const struct acme_task *task, const struct acme_error *err);

/*
 * In a handler: runs the hook's program, of which acme_stage_list() has made
 * one, with these facts; of `how` its input and `tail` count.  ACME_IO,
 * ACME_STOPPING, ACME_NOMEM.
 */
enum acme_rc acme_runner_program(const struct acme_runner *runner,
    const struct acme_task *task, const struct acme_stage_hook *hook,
    const struct acme_stage_facts *facts, const struct acme_program *how,
    struct acme_buf *output, struct acme_error *err);

/* The same of a tracking record: what the task asks for is done to it, and it
 * is made first if there is none; `output` has what it is called then. */
enum acme_rc acme_runner_track(const struct acme_runner *runner,
    const struct acme_task *task, const struct acme_stage_hook *hook,
    struct acme_buf *output, struct acme_error *err);

/*
 * In a handler: has a person do what is asked for, and waits until it is done;
 * or tells him that it is not needed any more.  ACME_CONFIG: nobody is there.
 * ACME_STOPPING.
 */
enum acme_rc acme_runner_by_hand(const struct acme_runner *runner,
    const struct acme_errand *errand, int answer, struct acme_error *err);

/* In a handler, until exit. */
void acme_runner_dns(const struct acme_runner *runner, struct acme_task *task)
    __attribute__((noreturn));
void acme_runner_stage(const struct acme_runner *runner,
    struct acme_task *task) __attribute__((noreturn));

#endif
