/*
 * Several who wait on one channel: loops beside loops and beside calls that block, forked children, threads that arm one
 * handle; and what a loop does now and then.
 */
#include "loops.h"

static rr_server *server_beside(rr_server *server)
{
    rr_server *beside;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(server)), NULL, &beside, NULL), 0);
    return beside;
}

typedef struct blocked {
    rr_server *server;
    int64_t result;
    pthread_t thread;
    pid_t volatile number;
} blocked;

static void *receives(void *argument)
{
    blocked *one = (blocked *)argument;
    char buffer[64];
    rr_request request;
    one->number = thread_id();
    one->result = rr_recv_wait(one->server, buffer, sizeof buffer, &request, PATIENCE);
    return NULL;
}

/* Returns once it sleeps, behind all who slept before. */
static void block(blocked *one, rr_server *server)
{
    uint64_t sleeps = stats_of(rr_server_channel(server)).sleeps;
    one->server = server;
    one->number = 0;
    CHECK(pthread_create(&one->thread, NULL, receives, one) == 0);
    while (stats_of(rr_server_channel(server)).sleeps == sleeps || one->number == 0)
        sched_yield();
    until_asleep(one->number);
}

/* A second after it fell asleep a server looks by itself. Of the rounds the quickest counts. */
#define ROUNDS 8
#define SOON (600 * MS)

static int64_t quickest(int64_t (*round)(void))
{
    int64_t least = INT64_MAX;
    for (int k = 0; k < ROUNDS && least >= SOON; k++) {
        int64_t took = round();
        least = took < least ? took : least;
    }
    return least;
}

/* The loop sleeps before the other server, and gets the wake-up of both messages. */
static int64_t a_round(int takes)
{
    pair channel = open_pair(8);
    rr_server *other = server_beside(channel.server);
    EXPECT(rr_server_arm(channel.server), 0);
    usleep(2000); /* until its thread sleeps: else it is woken all the same */
    blocked one;
    block(&one, other);
    int64_t begun = now();
    EXPECT(rr_client_post(channel.client, "", 0, 0), 0);
    EXPECT(rr_client_post(channel.client, "", 0, 0), 0);
    if (takes) {
        /* Not before it knows that it was woken: what it doesn't know of it hands on at its next call. */
        expect_woken(rr_server_poll_fd(channel.server));
        take_any(channel.server);
    } else {
        rr_server_free(channel.server);
    }
    CHECK(pthread_join(one.thread, NULL) == 0);
    EXPECT(one.result, 0);
    int64_t took = now() - begun;
    rr_client_free(channel.client);
    rr_server_free(other);
    if (takes)
        rr_server_free(channel.server);
    return took;
}

static int64_t round_of_taking(void)
{
    return a_round(1);
}

static int64_t round_of_freeing(void)
{
    return a_round(0);
}

static void a_loop_that_takes_one_wakes_the_next_for_what_is_left(void)
{
    CHECK(quickest(round_of_taking) < SOON);
}

static void a_loop_that_was_woken_and_is_freed_wakes_the_next(void)
{
    CHECK(quickest(round_of_freeing) < SOON);
}

/* Its thread may still be on the doorbell when it is awake, and be woken in the stead of others. */
static int64_t round_of_an_awake_loop(void)
{
    pair channel = open_pair(8);
    rr_server *other = server_beside(channel.server);
    int fd = rr_server_poll_fd(channel.server);
    EXPECT(rr_server_arm(channel.server), 0);
    EXPECT(rr_client_post(channel.client, "", 0, 0), 0);
    expect_woken(fd);
    take_any(channel.server);
    usleep(2000);
    blocked one;
    block(&one, other);
    int64_t begun = now();
    EXPECT(rr_client_post(channel.client, "", 0, 0), 0);
    CHECK(pthread_join(one.thread, NULL) == 0);
    EXPECT(one.result, 0);
    int64_t took = now() - begun;
    rr_server_free(other);
    close_pair(&channel);
    return took;
}

static void a_loop_that_is_awake_keeps_no_wake_up(void)
{
    CHECK(quickest(round_of_an_awake_loop) < SOON);
}

static void several_loops_and_a_blocking_server_share_the_work(void)
{
    enum { LOOPS = 3, MESSAGES = 2000 };
    pair channel = open_pair(8);
    pid_t children[LOOPS + 1];
    for (int k = 0; k <= LOOPS; k++) {
        children[k] = fork_child();
        if (children[k] == 0) {
            for (;;) {
                char buffer[64];
                rr_request request;
                int64_t length;
                if (k == LOOPS) {
                    length = rr_recv_wait(channel.server, buffer, sizeof buffer, &request, FOREVER);
                } else {
                    length = rr_recv(channel.server, buffer, sizeof buffer, &request);
                    if (length == -EAGAIN && rr_server_arm(channel.server) == 0)
                        expect_woken(rr_server_poll_fd(channel.server));
                }
                if (length == -EAGAIN)
                    continue;
                EXPECT(length, 4);
                if (memcmp(buffer, "ends", 4) == 0) {
                    EXPECT(rr_reply(channel.server, request.id, "", 0), 0);
                    child_ends();
                }
                EXPECT(rr_reply(channel.server, request.id, buffer, 4), 0);
            }
        }
    }
    for (int k = 0; k < MESSAGES; k++)
        request_text(channel.client, "work", "work");
    for (int k = 0; k <= LOOPS; k++)
        request_text(channel.client, "ends", "");
    for (int k = 0; k <= LOOPS; k++)
        expect_ended_well(children[k]);
    close_pair(&channel);
}

static void a_child_that_never_polls_frees_what_its_parent_had(void)
{
    pair channel = open_pair(8);
    EXPECT(rr_server_arm(channel.server), 0);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    pid_t child = fork_child();
    if (child == 0) {
        request_text(channel.client, "as ever", "yes");
        close_pair(&channel);
        child_ends();
    }
    expect_woken(rr_server_poll_fd(channel.server));
    reply_text(channel.server, take_text(channel.server, "as ever"), "yes");
    expect_ended_well(child);
    close_pair(&channel);
}

/* ---- threads of one handle ---- */

#define THREADS 4
#define EACH 500

static int volatile served;

static void *loops(void *argument)
{
    rr_server *server = (rr_server *)argument;
    int fd = rr_server_poll_fd(server);
    for (;;) {
        char buffer[64];
        rr_request request;
        int64_t length = rr_recv(server, buffer, sizeof buffer, &request);
        if (length >= 0) {
            EXPECT(rr_reply(server, request.id, buffer, (size_t)length), 0);
            __sync_fetch_and_add(&served, 1);
            continue;
        }
        if (length == -ESHUTDOWN)
            return NULL;
        EXPECT(length, -EAGAIN);
        int armed = rr_server_arm(server);
        if (armed == 0)
            expect_woken(fd);
        else
            CHECK(armed == 1 || armed == -ESHUTDOWN);
    }
}

static void several_threads_may_arm_one_handle(void)
{
    pair channel = open_pair(8);
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++)
        CHECK(pthread_create(&threads[k], NULL, loops, channel.server) == 0);
    for (int k = 0; k < THREADS * EACH; k++)
        request_text(channel.client, "to any", "to any");
    EXPECT(rr_server_stop(channel.server), 0);
    for (int k = 0; k < THREADS; k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    CHECK(served == THREADS * EACH);
    close_pair(&channel);
}

/* ---- waiting without taking ---- */

static void a_wait_takes_nothing(void)
{
    pair channel = open_pair(8);
    EXPECT(rr_server_wait(channel.server, within(0)), -EAGAIN);
    EXPECT(rr_server_wait(channel.server, within(MS)), -ETIMEDOUT);
    uint32_t cancel = 1;
    rr_wait wait = RR_WAIT_INIT;
    wait.cancel = &cancel;
    EXPECT(rr_server_wait(channel.server, &wait), -ECANCELED);
    wait.flags = RR_ARM_REPLY;
    EXPECT(rr_server_wait(channel.server, &wait), -EINVAL);
    uint64_t id = send_text(channel.client, "still there");
    for (int k = 0; k < 3; k++)
        EXPECT(rr_server_wait(channel.server, NULL), 0);
    reply_text(channel.server, take_text(channel.server, "still there"), "now it is not");
    collect_text(channel.client, id, "now it is not");
    EXPECT(rr_server_wait(channel.server, within(0)), -EAGAIN);
    EXPECT(rr_server_stop(channel.server), 0);
    EXPECT(rr_server_wait(channel.server, NULL), -ESHUTDOWN);
    close_pair(&channel);
}

static void *waits(void *argument)
{
    blocked *one = (blocked *)argument;
    one->result = rr_server_wait(one->server, within(PATIENCE));
    return NULL;
}

static void a_wait_is_ended_by_a_request(void)
{
    pair channel = open_pair(8);
    blocked one;
    one.server = channel.server;
    uint64_t sleeps = stats_of(rr_server_channel(channel.server)).sleeps;
    CHECK(pthread_create(&one.thread, NULL, waits, &one) == 0);
    while (stats_of(rr_server_channel(channel.server)).sleeps == sleeps)
        sched_yield();
    send_text(channel.client, "come");
    CHECK(pthread_join(one.thread, NULL) == 0);
    EXPECT(one.result, 0);
    take_text(channel.server, "come");
    close_pair(&channel);
}

/* ---- now and then ---- */

static int64_t due_of(rr_channel *channel)
{
    int64_t due = 0;
    EXPECT(rr_channel_tend(channel, &due), 0);
    return due;
}

static void what_is_due_is_told_and_nothing_else_is_done(void)
{
    pair channel = open_pair(2);
    int64_t due = due_of(rr_server_channel(channel.server));
    CHECK(due > 0 && due <= SECOND);
    CHECK(due_of(rr_client_channel(channel.client)) == -1);
    uint64_t id = send_text(channel.client, "pending");
    due = due_of(rr_client_channel(channel.client));
    CHECK(due > 0 && due <= 25 * MS);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    due = due_of(rr_client_channel(channel.client));
    CHECK(due > 0 && due <= 25 * MS);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    CHECK(due_of(rr_client_channel(channel.client)) == -1);
    send_text(channel.client, "one");
    send_text(channel.client, "two");
    rr_client *other = another_client(&channel);
    EXPECT(rr_client_arm(other, RR_ARM_SLOT), 0);
    due = due_of(rr_client_channel(other));
    CHECK(due > 0 && due <= 25 * MS);
    rr_client_free(other);
    close_pair(&channel);
}

/* A loop that has no other timer. How often it was woken by the timer while it waited for its descriptor. */
static int tend_until_woken(rr_channel *channel, int fd)
{
    int timers = 0;
    int64_t end = now() + PATIENCE;
    for (;;) {
        int64_t due;
        CHECK(rr_channel_tend(channel, &due) >= 0);
        if (is_readable(fd, due < 0 ? PATIENCE : due))
            return timers;
        timers++;
        CHECK(now() < end);
    }
}

static void the_death_of_a_server_wakes_a_loop(void)
{
    pair channel = open_pair(8);
    const gate taken = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        take_any(channel.server);
        open_gate(&taken);
        for (;;)
            pause();
    }
    uint64_t id = send_text(channel.client, "doomed");
    pass_gate(&taken);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    kill_and_reap(child);
    tend_until_woken(rr_client_channel(channel.client), rr_client_poll_fd(channel.client));
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EOWNERDEAD);
    close_pair(&channel);
    drop_gate(&taken);
}

static void a_process_that_is_killed_while_armed_leaves_nothing_behind(void)
{
    pair channel = open_pair(2);
    const gate armed = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        EXPECT(rr_server_arm(channel.server), 0);
        EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
        send_text(channel.client, "of the child");
        send_text(channel.client, "of the child");
        EXPECT(rr_client_arm(channel.client, RR_ARM_SLOT), 0);
        open_gate(&armed);
        for (;;)
            pause();
    }
    pass_gate(&armed);
    kill_and_reap(child);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 2);
    expect_none_queued(channel.server);
    expect_works(&channel);
    rr_stats stats = stats_of(rr_server_channel(channel.server));
    CHECK(stats.free == 2 && stats.participants == 2);
    close_pair(&channel);
    drop_gate(&armed);
}

static void a_client_that_needs_a_server_is_told_that_there_is_none(void)
{
    pair channel = open_pair(2);
    rr_options options = RR_OPTIONS_INIT;
    options.flags = RR_OPT_NEED_SERVER;
    rr_client *client;
    EXPECT(rr_client_from_server(channel.server, &options, &client, NULL), 0);
    uint64_t id = send_text(client, "anybody?");
    EXPECT(rr_client_arm(client, RR_ARM_REPLY), 0);
    rr_server_free(channel.server);
    int64_t due = 0, told, end = now() + PATIENCE;
    while ((told = rr_channel_tend(rr_client_channel(client), &due)) == 0 && now() < end)
        usleep((useconds_t)(due / 1000));
    EXPECT(told, -ECONNREFUSED);
    CHECK(due > 0 && due <= 25 * MS);
    EXPECT(rr_client_cancel(client, id), 0);
    EXPECT(rr_channel_tend(rr_client_channel(client), &due), 0);
    rr_client_free(client);
    rr_client_free(channel.client);
}

int main(void)
{
    RUN(a_loop_that_takes_one_wakes_the_next_for_what_is_left);
    RUN(a_loop_that_was_woken_and_is_freed_wakes_the_next);
    RUN(a_loop_that_is_awake_keeps_no_wake_up);
    RUN(several_loops_and_a_blocking_server_share_the_work);
    RUN(a_child_that_never_polls_frees_what_its_parent_had);
    RUN(several_threads_may_arm_one_handle);
    RUN(a_wait_takes_nothing);
    RUN(a_wait_is_ended_by_a_request);
    RUN(what_is_due_is_told_and_nothing_else_is_done);
    RUN(the_death_of_a_server_wakes_a_loop);
    RUN(a_process_that_is_killed_while_armed_leaves_nothing_behind);
    RUN(a_client_that_needs_a_server_is_told_that_there_is_none);
    return 0;
}
