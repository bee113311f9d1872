/*
 * Every wait ends as it should: with what it waited for, at its deadline, when a signal handler ran, or when another
 * thread cancelled its request.
 */
#include "interrupts.h"
#include "waits.h"

/* Nothing came of the call that ended early, and all goes on. */
static void expect_undisturbed(scene *at)
{
    EXPECT(rr_client_pending(at->channel.client), at->held ? 1 : 0);
    EXPECT(rr_channel_queued(channel_of(at)), at->held ? 1 : 0);
    if (at->held) {
        reply_text(at->channel.server, take_text(at->channel.server, "held"), "reply");
        collect_text(at->channel.client, at->held, "reply");
    }
    expect_works(&at->channel);
}

static void a_wait_ends_at_its_deadline(void)
{
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        int64_t begun = now();
        EXPECT(WAITS[k].call(&at, 30 * MS), -ETIMEDOUT);
        int64_t took = now() - begun;
        CHECK(took >= 30 * MS && took < 10 * SECOND);
        CHECK(stats_of(channel_of(&at)).timeouts == 1);
        expect_undisturbed(&at);
        close_pair(&at.channel);
    }
}

static void cancel_held(void *context)
{
    scene *at = (scene *)context;
    EXPECT(rr_client_cancel(at->channel.client, at->held), 0);
}

static void *cancel_held_late(void *context)
{
    const struct timespec most_of_the_time = {0, 800 * MS};
    nanosleep(&most_of_the_time, NULL);
    cancel_held(context);
    return NULL;
}

/* Whether both waits were in it, and it ended before a second deadline would have. */
static int waits_for_both(void)
{
    scene at = {open_pair(1), 0};
    at.held = send_text(at.channel.client, "held");
    pthread_t slow;
    int64_t begun = now();
    CHECK(pthread_create(&slow, NULL, cancel_held_late, &at) == 0);
    EXPECT(wait_for_request(&at, SECOND), -ETIMEDOUT);
    int64_t took = now() - begun;
    CHECK(took >= SECOND);
    CHECK(pthread_join(slow, NULL) == 0);
    uint64_t requests = stats_of(channel_of(&at)).requests;
    at.held = 0;
    expect_undisturbed(&at);
    close_pair(&at.channel);
    return requests == 2 && took < 1750 * MS;
}

/* A busy machine may delay one of these threads or the other, but not each time. */
static void one_deadline_covers_waiting_for_a_slot_and_for_the_reply(void)
{
    int tries = 1;
    while (!waits_for_both())
        CHECK(++tries <= 5);
}

static void a_negative_timeout_waits_for_as_long_as_it_takes(void)
{
    const int64_t negative[] = {-1, INT64_MIN};
    for (size_t k = 0; k < LENGTH(negative); k++) {
        pair channel = open_pair(1);
        pid_t parent = getpid(), child = fork_child();
        if (child == 0) {
            until_asleep(parent);
            serve_echo(channel.server, 1);
            until_asleep(parent);
            request_text(channel.client, "to the parent", "from the parent");
            child_ends();
        }
        char buffer[16];
        rr_request request;
        EXPECT(rr_client_req(channel.client, "a", 1, buffer, sizeof buffer, negative[k]), 1);
        EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, negative[k]), 13);
        reply_text(channel.server, request.id, "from the parent");
        expect_ended_well(child);
        close_pair(&channel);
    }
}

static void a_longest_timeout_does_not_overflow(void)
{
    pair channel = open_pair(1);
    pid_t parent = getpid(), child = fork_child();
    if (child == 0) {
        until_asleep(parent);
        serve_echo(channel.server, 1);
        child_ends();
    }
    char buffer[16];
    EXPECT(rr_client_req(channel.client, "a", 1, buffer, sizeof buffer, INT64_MAX), 1);
    expect_ended_well(child);
    close_pair(&channel);
}

static void a_request_that_another_thread_cancels_ends_its_wait(void)
{
    scene at = {open_pair(1), 0};
    at.held = send_text(at.channel.client, "held");
    for (int claimed = 0; claimed < 2; claimed++) {
        deed cancelling;
        if (claimed)
            take_text(at.channel.server, "held");
        plan(&cancelling, channel_of(&at), cancel_held, &at);
        EXPECT(wait_to_collect(&at, FOREVER), -ESTALE);
        done(&cancelling);
        EXPECT(wait_to_collect(&at, FOREVER), -ESTALE);
        at.held = send_text(at.channel.client, "held");
    }
    close_pair(&at.channel);
}

static void a_signal_handler_that_runs_ends_a_wait_and_nothing_is_lost(void)
{
    const int flags[] = {0, SA_RESTART};
    for (size_t f = 0; f < LENGTH(flags); f++) {
        for (size_t k = 0; k < LENGTH(WAITS); k++) {
            scene at = set_scene(&WAITS[k]);
            timer_t timer = begin_interrupts(flags[f]);
            EXPECT(WAITS[k].call(&at, FOREVER), -EINTR);
            EXPECT(WAITS[k].call(&at, 60 * SECOND), -EINTR);
            end_interrupts(timer);
            expect_undisturbed(&at);
            close_pair(&at.channel);
        }
    }
}

static void a_signal_handler_ends_the_wait_for_a_channel(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.connect_timeout_ns = FOREVER;
    rr_client *client;
    timer_t timer = begin_interrupts(SA_RESTART);
    EXPECT(rr_client_new("./never-there", &options, &client, NULL), -EINTR);
    end_interrupts(timer);
    CHECK(client == NULL);
}

int main(void)
{
    RUN(a_wait_ends_at_its_deadline);
    RUN(one_deadline_covers_waiting_for_a_slot_and_for_the_reply);
    RUN(a_negative_timeout_waits_for_as_long_as_it_takes);
    RUN(a_longest_timeout_does_not_overflow);
    RUN(a_request_that_another_thread_cancels_ends_its_wait);
    RUN(a_signal_handler_that_runs_ends_a_wait_and_nothing_is_lost);
    RUN(a_signal_handler_ends_the_wait_for_a_channel);
    return 0;
}
