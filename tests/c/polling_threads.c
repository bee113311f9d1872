/*
 * The threads that stand in for event loops: when they end, that they take no signal, and what is said if there can be
 * none.
 */
#include "filter.h"
#include "loops.h"

static void the_threads_end_with_their_handles_armed_or_not(void)
{
    for (int is_armed = 0; is_armed < 2; is_armed++)
        for (int k = 0; k < 20; k++) {
            pair channel = open_pair(1);
            CHECK(rr_server_poll_fd(channel.server) > 2);
            CHECK(rr_client_poll_fd(channel.client) > 2);
            if (is_armed) {
                send_text(channel.client, "the only slot");
                take_text(channel.server, "the only slot");
                EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY | RR_ARM_SLOT), 0);
                EXPECT(rr_server_arm(channel.server), 0);
                if (k == 0)
                    until_helpers(3, NULL);
            }
            close_pair(&channel);
            CHECK(helper_threads(NULL) == 0);
        }
}

static volatile sig_atomic_t handled_by;

static void note_thread(int number)
{
    (void)number;
    handled_by = thread_id();
}

static void all_signals_go_to_the_threads_of_the_program(void)
{
    pair channel = open_pair(1);
    CHECK(rr_server_poll_fd(channel.server) > 2);
    EXPECT(rr_server_arm(channel.server), 0);
    uint64_t blocked = 0;
    until_helpers(1, &blocked);
    /* All except those that can't be blocked, and those of the C library's own. */
    CHECK((blocked | UINT64_C(0x40100) | UINT64_C(7) << 31) == UINT64_MAX);
    CHECK(signal(SIGUSR1, note_thread) != SIG_ERR);
    sigset_t mask;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(handled_by == thread_id());
    close_pair(&channel);
}

static void a_thread_that_can_not_be_started_has_a_code(int error, int code)
{
    pid_t child = fork_child();
    if (child == 0) {
        pair channel = open_pair(1);
        if (let_fail(SYS_clone, error)) {
#ifdef SYS_clone3
            CHECK(let_fail(SYS_clone3, error));
#endif
            for (int k = 0; k < 2; k++) {
                EXPECT(rr_server_poll_fd(channel.server), code);
                EXPECT(rr_server_arm(channel.server), code);
                EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), code);
            }
            expect_works(&channel);
        }
        close_pair(&channel);
        child_ends();
    }
    expect_ended_well(child);
}

static void want_of_threads_is_want_of_memory(void)
{
    a_thread_that_can_not_be_started_has_a_code(EAGAIN, -ENOMEM);
}

static void a_sandbox_without_threads_is_said_to_be_one(void)
{
#ifdef __GLIBC__
    a_thread_that_can_not_be_started_has_a_code(EPERM, -EPERM);
#else
    /* musl says of all reasons that there is too little of something. */
    a_thread_that_can_not_be_started_has_a_code(EPERM, -ENOMEM);
#endif
}

int main(void)
{
    RUN(the_threads_end_with_their_handles_armed_or_not);
    RUN(all_signals_go_to_the_threads_of_the_program);
    RUN(want_of_threads_is_want_of_memory);
    RUN(a_sandbox_without_threads_is_said_to_be_one);
    return 0;
}
