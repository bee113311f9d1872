/*
 * What a jump out of a call leaves, and how it is had back: nothing runs on a jump's way, but no lock is left locked.
 */
/* No result comes of a call that is left otherwise. */
#define RR_MUST_CHECK

#include "fixture.h"

#include <setjmp.h>
#include <sys/time.h>

#define SLOTS 4

static sigjmp_buf back;
static uint64_t noted;
/* Not in a register that a jump loses. */
static volatile int round_number;
static pair channel;
static char buffer[64];

static void jump(int signal_number)
{
    (void)signal_number;
    siglongjmp(back, 1);
}

static void jump_after(long microseconds)
{
    CHECK(signal(SIGALRM, jump) != SIG_ERR);
    struct itimerval once = {{0, 0}, {0, microseconds}};
    CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
}

static int jump_out_of_handler(void *ctx, const rr_view *request, rr_buffer *reply)
{
    (void)ctx;
    (void)reply;
    noted = request->id;
    siglongjmp(back, 1);
}

static int answer(void *ctx, const rr_view *request, rr_buffer *reply)
{
    (void)ctx;
    (void)request;
    (void)reply;
    return RR_SERVE_STOP;
}

/* The request stays taken by a server that lives: it is given back by its id. */
static void a_request_whose_handler_jumped_is_given_back_by_its_id(void)
{
    channel = open_pair(SLOTS);
    for (round_number = 0; round_number < 5 * SLOTS; round_number++) {
        send_text(channel.client, "jump");
        if (sigsetjmp(back, 1) == 0) {
            rr_serve(channel.server, jump_out_of_handler, NULL, NULL);
            CHECK(!"it comes back by a jump");
        }
        EXPECT(rr_client_get(channel.client, noted, buffer, sizeof buffer), -EAGAIN);
        EXPECT(rr_dismiss(channel.server, noted), 0);
        EXPECT(rr_client_get(channel.client, noted, buffer, sizeof buffer), -ENOMSG);
    }
    uint64_t id = send_text(channel.client, "as ever");
    EXPECT(rr_serve(channel.server, answer, NULL, NULL), 0);
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), 0);
    close_pair(&channel);
}

static void freeing_the_server_gives_back_all_that_its_handlers_jumped_from(void)
{
    channel = open_pair(SLOTS);
    uint64_t ids[SLOTS];
    for (round_number = 0; round_number < SLOTS; round_number++) {
        ids[round_number] = send_text(channel.client, "jump");
        if (sigsetjmp(back, 1) == 0)
            rr_serve(channel.server, jump_out_of_handler, NULL, NULL);
    }
    rr_server_free(channel.server);
    for (int k = 0; k < SLOTS; k++)
        EXPECT(rr_client_get(channel.client, ids[k], buffer, sizeof buffer), -EOWNERDEAD);
    rr_client_free(channel.client);
}

/* Each jump out of a whole request leaves a slot, and the signals are as sigsetjmp found them. */
static void freeing_the_client_gives_back_every_slot_that_jumps_left(void)
{
    channel = open_pair(SLOTS);
    for (round_number = 0; round_number < SLOTS; round_number++) {
        if (sigsetjmp(back, 1) == 0) {
            jump_after(2000);
            rr_client_req(channel.client, "x", 1, buffer, sizeof buffer, FOREVER);
            CHECK(!"it comes back by a jump");
        }
        sigset_t held;
        CHECK(sigprocmask(SIG_SETMASK, NULL, &held) == 0);
        for (int number = 1; number < 32; number++)
            CHECK(sigismember(&held, number) == 0);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).in_flight <= SLOTS);
    rr_client_free(channel.client);
    CHECK(stats_of(rr_server_channel(channel.server)).in_flight == 0);
    channel.client = another_client(&channel);
    uint64_t ids[SLOTS];
    for (int k = 0; k < SLOTS; k++)
        ids[k] = send_text(channel.client, "as ever");
    for (int k = 0; k < SLOTS; k++) {
        EXPECT(rr_serve(channel.server, answer, NULL, NULL), 0);
        EXPECT(rr_client_get(channel.client, ids[k], buffer, sizeof buffer), 0);
    }
    close_pair(&channel);
}

/* A call that waits for what is not there holds nothing. */
static void jumps_out_of_waits_leave_nothing(void)
{
    channel = open_pair(SLOTS);
    rr_request request;
    uint64_t id = send_text(channel.client, "wait");
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, &request), 4);
    for (round_number = 0; round_number < 40; round_number++) {
        if (sigsetjmp(back, 1) == 0) {
            jump_after(1000);
            if (round_number % 2)
                rr_recv_wait(channel.server, buffer, sizeof buffer, &request, FOREVER);
            else
                rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER);
            CHECK(!"it comes back by a jump");
        }
    }
    EXPECT(rr_reply(channel.server, id, "done", 4), 0);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, SECOND), 4);
    id = send_text(channel.client, "more");
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, SECOND), 4);
    EXPECT(rr_dismiss(channel.server, id), 0);
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -ENOMSG);
    CHECK(stats_of(rr_client_channel(channel.client)).in_flight == 0);
    close_pair(&channel);
}

int main(void)
{
    RUN(a_request_whose_handler_jumped_is_given_back_by_its_id);
    RUN(freeing_the_server_gives_back_all_that_its_handlers_jumped_from);
    RUN(freeing_the_client_gives_back_every_slot_that_jumps_left);
    RUN(jumps_out_of_waits_leave_nothing);
    return 0;
}
