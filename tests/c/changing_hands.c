/*
 * Requests change hands: a server adopts what another handle has taken, in this process or in a forked child, and a client
 * detaches a call, which goes on without it.
 */
#include "fixture.h"

static rr_server *another_server(const pair *channel)
{
    rr_server *server = NULL;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel->server)), NULL, &server, NULL), 0);
    return server;
}

static void null_is_refused(void)
{
    EXPECT(rr_server_adopt(NULL, 1), -EINVAL);
    EXPECT(rr_client_detach(NULL, 1), -EINVAL);
}

static void a_server_receives_forks_and_lets_the_child_reply(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "question");
    rr_view asked;
    EXPECT(rr_recv_view(channel.server, &asked, NULL), 8);
    pid_t child = fork_child();
    if (child == 0) {
        CHECK(memcmp(asked.data, "question", 8) == 0);
        EXPECT(rr_reply(channel.server, asked.id, "", 0), -ESTALE);
        EXPECT(rr_server_adopt(channel.server, asked.id), 0);
        reply_text(channel.server, asked.id, "answer");
        rr_server_free(channel.server);
        child_ends();
    }
    collect_text(channel.client, id, "answer");
    expect_ended_well(child);
    EXPECT(rr_reply(channel.server, asked.id, "", 0), -ESTALE);
    expect_works(&channel);
    close_pair(&channel);
}

static void what_a_child_adopted_ends_with_the_child(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "question"), kept = send_text(channel.client, "kept");
    uint64_t taken = take_text(channel.server, "question"), mine = take_text(channel.server, "kept");
    EXPECT(rr_client_post(channel.client, "message", 7, 0), 0);
    uint64_t message = take_text(channel.server, "message");
    pid_t child = fork_child();
    if (child == 0) {
        EXPECT(rr_server_adopt(channel.server, taken), 0);
        EXPECT(rr_server_adopt(channel.server, message), 0);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
    EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
    char buffer[16];
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER), -EOWNERDEAD);
    reply_text(channel.server, mine, "answer");
    collect_text(channel.client, kept, "answer");
    CHECK(stats_of(rr_client_channel(channel.client)).free == 4);
    close_pair(&channel);
}

static void what_a_child_adopted_is_redelivered_where_that_is_asked_for(void)
{
    pair channel = {NULL, NULL};
    rr_options options = with_slots(4);
    options.flags = RR_OPT_REDELIVER;
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    pid_t child = fork_child();
    if (child == 0) {
        EXPECT(rr_server_adopt(channel.server, taken), 0);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 1);
    rr_request again;
    char buffer[16];
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, &again), 8);
    CHECK(again.id == taken && again.redeliveries == 1);
    reply_text(channel.server, taken, "answer");
    collect_text(channel.client, id, "answer");
    close_pair(&channel);
}

static void the_dead_lose_nothing_that_was_adopted_from_them(void)
{
    pair channel = open_pair(4);
    int ids[2];
    CHECK(pipe(ids) == 0);
    uint64_t id = send_text(channel.client, "question"), taken = 0;
    pid_t child = fork_child();
    if (child == 0) {
        taken = take_text(channel.server, "question");
        CHECK(write(ids[1], &taken, sizeof taken) == sizeof taken);
        for (;;)
            pause();
    }
    CHECK(read(ids[0], &taken, sizeof taken) == sizeof taken);
    kill_and_reap(child);
    EXPECT(rr_server_adopt(channel.server, taken), 0);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 1);
    reply_text(channel.server, taken, "answer");
    collect_text(channel.client, id, "answer");
    close(ids[0]);
    close(ids[1]);
    close_pair(&channel);
}

static void who_lost_a_request_gets_estale_and_who_has_it_may_lose_it_in_turn(void)
{
    pair channel = open_pair(4);
    rr_server *other = another_server(&channel);
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_server_adopt(other, id), -ESTALE);
    uint64_t taken = take_text(channel.server, "question");
    EXPECT(rr_server_adopt(channel.server, taken), 0);
    for (int k = 0; k < 3; k++) {
        EXPECT(rr_server_adopt(other, taken), 0);
        EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
        EXPECT(rr_reply_error(channel.server, taken, 1, ""), -ESTALE);
        EXPECT(rr_release(channel.server, taken), -ESTALE);
        EXPECT(rr_server_adopt(channel.server, taken), 0);
        EXPECT(rr_reply(other, taken, "", 0), -ESTALE);
    }
    EXPECT(rr_server_adopt(other, taken), 0);
    EXPECT(rr_server_adopt(channel.server, taken), -EMLINK);
    reply_text(other, taken, "answer");
    EXPECT(rr_server_adopt(channel.server, taken), -ESTALE);
    collect_text(channel.client, id, "answer");
    EXPECT(rr_server_adopt(channel.server, taken), -ESTALE);
    EXPECT(rr_server_stop(other), 0);
    EXPECT(rr_server_adopt(other, taken), -ESHUTDOWN);
    rr_server_free(other);
    close_pair(&channel);
}

static void a_message_is_adopted_and_released(void)
{
    pair channel = open_pair(1);
    rr_server *other = another_server(&channel);
    EXPECT(rr_client_post(channel.client, "message", 7, 0), 0);
    uint64_t taken = take_text(channel.server, "message");
    EXPECT(rr_server_adopt(other, taken), 0);
    rr_server_free(channel.server);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 0);
    EXPECT(rr_release(other, taken), 0);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 1);
    channel.server = other;
    close_pair(&channel);
}

static void what_was_given_up_is_nobodys_to_adopt_and_its_slot_comes_free(void)
{
    pair channel = open_pair(1);
    rr_server *other = another_server(&channel);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    EXPECT(rr_client_cancel(channel.client, id), 0);
    EXPECT(rr_server_adopt(other, taken), -ESTALE);
    /* Its owner has passed it on and does not reply any more: the lease has ended all the same. */
    EXPECT(rr_channel_clear(rr_server_channel(channel.server)), 0);
    EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
    expect_works(&channel);
    rr_server_free(other);
    close_pair(&channel);
}

static void a_detached_call_is_served_though_its_client_is_gone(void)
{
    pair channel = open_pair(4);
    rr_client *leaving = another_client(&channel);
    uint64_t queued = send_text(leaving, "queued"), held = send_text(leaving, "held");
    uint64_t queued_id = take_text(channel.server, "queued"), held_id = take_text(channel.server, "held");
    CHECK(queued_id == queued && held_id == held);
    EXPECT(rr_client_detach(leaving, held), 0);
    reply_text(channel.server, queued, "answer");
    collect_text(leaving, queued, "answer");
    queued = send_text(leaving, "queued");
    EXPECT(rr_client_detach(leaving, queued), 0);
    EXPECT(rr_client_pending(leaving), 0);
    EXPECT(rr_client_detach(leaving, queued), -ESTALE);
    EXPECT(rr_client_cancel(leaving, queued), -ESTALE);
    rr_client_free(leaving);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 2);
    reply_text(channel.server, held, "nobody hears it");
    reply_text(channel.server, take_text(channel.server, "queued"), "nobody hears it");
    CHECK(stats_of(rr_client_channel(channel.client)).free == 4);
    close_pair(&channel);
}

static void a_detached_call_is_served_though_its_client_is_killed(void)
{
    pair channel = open_pair(4);
    pid_t child = fork_child();
    if (child == 0) {
        EXPECT(rr_client_detach(channel.client, send_text(channel.client, "detached")), 0);
        send_text(channel.client, "not detached");
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 1);
    reply_text(channel.server, take_text(channel.server, "detached"), "nobody hears it");
    expect_none_queued(channel.server);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 4);
    close_pair(&channel);
}

static void an_outcome_that_is_there_is_dropped_and_its_slot_free(void)
{
    pair channel = open_pair(1);
    char buffer[16];
    for (int k = 0; k < 3; k++) {
        uint64_t id = send_text(channel.client, "question");
        take_text(channel.server, "question");
        EXPECT(k == 0 ? rr_reply(channel.server, id, "", 0) : rr_reply_error(channel.server, id, 1, "no"), 0);
        EXPECT(rr_client_detach(channel.client, id), 0);
        EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -ESTALE);
        EXPECT(rr_client_detach(channel.client, id), -ESTALE);
    }
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(channel.client, &loan, NULL), 0);
    EXPECT(rr_client_detach(channel.client, loan.id), -ESTALE);
    EXPECT(rr_client_abort(channel.client, &loan), 0);
    expect_works(&channel);
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_client_stop(channel.client), 0);
    EXPECT(rr_client_detach(channel.client, id), -ESHUTDOWN);
    close_pair(&channel);
}

static rr_client *waiting_client;
static uint64_t waited_for;

static void *wait_for_it(void *unused)
{
    char buffer[16];
    int64_t result = rr_client_get_wait(waiting_client, waited_for, buffer, sizeof buffer, FOREVER);
    CHECK(result == -ESTALE || result == -ECANCELED);
    return unused;
}

static void a_thread_that_waits_for_what_another_detaches_is_woken(void)
{
    pair channel = open_pair(4);
    waiting_client = channel.client;
    waited_for = send_text(channel.client, "question");
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_for_it, NULL) == 0);
    uint64_t sleeps = 0;
    while (sleeps == 0)
        sleeps = stats_of(rr_client_channel(channel.client)).sleeps;
    EXPECT(rr_client_detach(channel.client, waited_for), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    reply_text(channel.server, take_text(channel.server, "question"), "");
    close_pair(&channel);
}

int main(void)
{
    RUN(null_is_refused);
    RUN(a_server_receives_forks_and_lets_the_child_reply);
    RUN(what_a_child_adopted_ends_with_the_child);
    RUN(what_a_child_adopted_is_redelivered_where_that_is_asked_for);
    RUN(the_dead_lose_nothing_that_was_adopted_from_them);
    RUN(who_lost_a_request_gets_estale_and_who_has_it_may_lose_it_in_turn);
    RUN(a_message_is_adopted_and_released);
    RUN(what_was_given_up_is_nobodys_to_adopt_and_its_slot_comes_free);
    RUN(a_detached_call_is_served_though_its_client_is_gone);
    RUN(a_detached_call_is_served_though_its_client_is_killed);
    RUN(an_outcome_that_is_there_is_dropped_and_its_slot_free);
    RUN(a_thread_that_waits_for_what_another_detaches_is_woken);
    return 0;
}
