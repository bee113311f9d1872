/*
 * A process whose sandbox refuses the system calls that waiting needs: its waits end at their deadlines without keeping
 * a processor busy, or say that it can't sleep.
 */
#include "filter.h"
#include "waits.h"

#include <sys/resource.h>

#define CALLS_MAX 4

/* From now on these system calls fail in this process with that error. */
static void refuse(const long *calls, size_t count, int error)
{
    step filter[CALLS_MAX + 3];
    CHECK(count <= CALLS_MAX);
    size_t used = 0;
    filter[used++] = make_step(LOAD, 0, 0, NUMBER);
    for (size_t k = 0; k < count; k++)
        filter[used++] = make_step(JUMP_IF_EQUAL, (uint8_t)(count - k), 0, (uint32_t)calls[k]);
    filter[used++] = make_step(RETURN, 0, 0, ALLOW);
    filter[used++] = make_step(RETURN, 0, 0, FAIL_WITH(error));
    CHECK(filter_calls(filter, used));
}

static int64_t processor_time(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* How often this process went to sleep of its own accord. */
static long sleeps_so_far(void)
{
    struct rusage used;
    CHECK(getrusage(RUSAGE_SELF, &used) == 0);
    return used.ru_nvcsw;
}

static const int ERRORS[] = {EPERM, ENOSYS, EACCES};

static void without_futexes_waits_end_at_their_deadlines_and_keep_no_processor_busy(void)
{
    const long futex[] = {SYS_futex};
    for (size_t e = 0; e < LENGTH(ERRORS); e++) {
        pid_t child = fork_child();
        if (child == 0) {
            scene scenes[LENGTH(WAITS)];
            for (size_t k = 0; k < LENGTH(WAITS); k++)
                scenes[k] = set_scene(&WAITS[k]);
            refuse(futex, 1, ERRORS[e]);
            for (size_t k = 0; k < LENGTH(WAITS); k++) {
                int64_t begun = now(), busy = processor_time();
                long sleeps = sleeps_so_far();
                EXPECT(WAITS[k].call(&scenes[k], 100 * MS), -ETIMEDOUT);
                CHECK(now() - begun >= 100 * MS);
                CHECK(processor_time() - busy < 75 * MS);
                CHECK(sleeps_so_far() > sleeps);
            }
            child_ends();
        }
        expect_ended_well(child);
    }
}

static void without_futexes_requests_are_served(void)
{
    const long futex[] = {SYS_futex};
    pair channel = open_pair(2);
    pid_t client = fork_child();
    if (client == 0) {
        char buffer[8];
        EXPECT(rr_client_pending(channel.client), 0);
        refuse(futex, 1, EPERM);
        for (int k = 0; k < 3; k++)
            EXPECT(rr_client_req(channel.client, "asked", 5, buffer, sizeof buffer, 60 * SECOND), 5);
        child_ends();
    }
    serve_echo(channel.server, 3);
    expect_ended_well(client);
    close_pair(&channel);
}

static void who_may_not_sleep_at_all_is_told_so_at_once(void)
{
    const long both[] = {SYS_futex, SYS_clock_nanosleep};
    for (size_t e = 0; e < LENGTH(ERRORS); e++) {
        pid_t child = fork_child();
        if (child == 0) {
            scene scenes[LENGTH(WAITS)];
            for (size_t k = 0; k < LENGTH(WAITS); k++)
                scenes[k] = set_scene(&WAITS[k]);
            refuse(both, 2, ERRORS[e]);
            for (size_t k = 0; k < LENGTH(WAITS); k++)
                EXPECT(WAITS[k].call(&scenes[k], FOREVER), -EPERM);
            child_ends();
        }
        expect_ended_well(child);
    }
}

static void polling_goes_on_where_signals_may_not_be_held_up(void)
{
    const long calls[] = {SYS_rt_sigprocmask, SYS_ppoll};
    pid_t child = fork_child();
    if (child == 0) {
        pair channel;
        char buffer[8];
        rr_request request;
        rr_options options = RR_OPTIONS_INIT;
        options.spin_ns = 5 * MS;
        EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
        refuse(calls, 2, EPERM);
        errno = ENOTTY;
        EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 20 * MS), -ETIMEDOUT);
        CHECK(errno == ENOTTY);
        child_ends();
    }
    expect_ended_well(child);
}

int main(void)
{
    RUN(without_futexes_waits_end_at_their_deadlines_and_keep_no_processor_busy);
    RUN(without_futexes_requests_are_served);
    RUN(who_may_not_sleep_at_all_is_told_so_at_once);
    RUN(polling_goes_on_where_signals_may_not_be_held_up);
    return 0;
}
