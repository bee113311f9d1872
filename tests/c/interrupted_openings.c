/*
 * A channel is made even where signals come faster than its pages can be reserved at one go; and where they come too
 * fast for anything, opening ends and leaves nothing.
 *
 * Kernels differ in what a signal interrupts, so a filter on system calls plays one that is interrupted: it lets
 * fallocate(2) fail with EINTR wherever it is asked for more than some bytes.
 */
#include "filter.h"
#include "interrupts.h"

#include <sys/time.h>

/* Takes tens of milliseconds to reserve. */
static rr_options large(void)
{
    rr_options options = with_slots(4);
    options.request_max = 8 << 20;
    return options;
}

static void tick_every(long microseconds)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle_interrupt;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval every = {{0, microseconds}, {0, microseconds}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static int make(int way, const rr_options *options, const char *name, rr_server **server, rr_error *error)
{
    switch (way) {
    case 0:
        return rr_server_new(name, options, server, error);
    case 1:
        return rr_server_new(NULL, options, server, error);
    default:
        return rr_server_new_memfd("interrupted", options, server, error);
    }
}

static void a_large_channel_is_made_under_a_timer_of_a_millisecond(void)
{
    const rr_options options = large();
    for (int way = 0; way < 3; way++) {
        const char *name = new_name();
        rr_server *server;
        tick_every(1000);
        int code = make(way, &options, name, &server, NULL);
        tick_every(0);
        EXPECT(code, 0);
        rr_server_free(server);
        EXPECT(rr_unlink(name), way == 0 ? 0 : -ENOENT);
    }
}

static void one_that_is_interrupted_all_the_time_is_made_or_leaves_nothing(void)
{
    const rr_options options = large();
    for (int way = 0; way < 3; way++) {
        const char *name = new_name();
        rr_server *server;
        rr_error error;
        tick_every(15);
        int code = make(way, &options, name, &server, &error);
        tick_every(0);
        CHECK(code == 0 || code == -EINTR);
        CHECK(error.code == code && (code == 0) == (server != NULL));
        if (code == 0)
            rr_server_free(server);
        EXPECT(rr_unlink(name), way == 0 && code == 0 ? 0 : -ENOENT);
    }
}

/* Nothing but the length's lower half is looked at: it is of pieces of less than 4 GiB. */
static int interrupt_beyond(uint32_t bytes)
{
    const step steps[] = {
        make_step(LOAD, 0, 0, NUMBER),
        make_step(JUMP_IF_EQUAL, 0, 3, SYS_fallocate),
        make_step(LOAD, 0, 0, LOWER_HALF(3)),
        make_step(JUMP_IF_GREATER, 0, 1, bytes),
        make_step(RETURN, 0, 0, FAIL_WITH(EINTR)),
        make_step(RETURN, 0, 0, ALLOW),
    };
    return filter_calls(steps, LENGTH(steps));
}

static void expect_with_interruptions(uint32_t beyond, int wanted)
{
    const char *names[] = {new_name(), new_name(), new_name()};
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(20);
        if (!interrupt_beyond(beyond)) {
            printf("skipped: no filter on system calls (errno %d)\n", errno);
            check_end(0);
        }
        const rr_options options = large();
        for (int way = 0; way < 3; way++) {
            rr_server *server;
            rr_error error;
            EXPECT(make(way, &options, names[way], &server, &error), wanted);
            CHECK(error.code == wanted && (wanted == 0) == (server != NULL));
            if (wanted == 0)
                rr_server_free(server);
            else
                CHECK_CONTAINS(error.message, "cannot reserve");
            EXPECT(rr_unlink(names[way]), way == 0 && wanted == 0 ? 0 : -ENOENT);
        }
        check_end(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_call_that_is_interrupted_when_it_lasts_long_is_made_in_pieces(void)
{
    expect_with_interruptions(1 << 20, 0);
    expect_with_interruptions(4096, 0);
}

static void a_call_that_is_always_interrupted_is_given_up(void)
{
    expect_with_interruptions(0, -EINTR);
}

int main(void)
{
    RUN(a_call_that_is_interrupted_when_it_lasts_long_is_made_in_pieces);
    RUN(a_call_that_is_always_interrupted_is_given_up);
    RUN(a_large_channel_is_made_under_a_timer_of_a_millisecond);
    RUN(one_that_is_interrupted_all_the_time_is_made_or_leaves_nothing);
    return 0;
}
