/*
 * In a channel with RR_OPT_REDELIVER a request outlives the servers that die with it; in another it doesn't.
 */
#include "doomed.h"
#include "posts.h"

#define REDELIVERIES 15

static pair open_redelivering(uint32_t slots)
{
    pair opened = {NULL, NULL};
    rr_options options = with_slots(slots);
    options.flags = RR_OPT_REDELIVER;
    EXPECT(rr_server_new(NULL, &options, &opened.server, NULL), 0);
    opened.client = another_client(&opened);
    return opened;
}

static rr_server *another_server(const pair *channel, const rr_options *options)
{
    rr_server *server = NULL;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel->server)), options, &server, NULL), 0);
    return server;
}

/* Takes the request that is there, and that came back so many times. */
static uint64_t take_again(rr_server *server, const char *text, uint32_t redeliveries)
{
    char buffer[64];
    rr_request request;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
    EXPECT(request.redeliveries, redeliveries);
    return request.id;
}

static void recover(const pair *channel, int found)
{
    EXPECT(rr_channel_recover(rr_client_channel(channel->client)), found);
}

static int64_t get(const pair *channel, uint64_t id)
{
    char buffer[64];
    return rr_client_get(channel->client, id, buffer, sizeof buffer);
}

static void a_waiting_client_is_not_told_and_gets_the_reply_of_another_server(void)
{
    pair channel = open_redelivering(2);
    pid_t caller = fork_child();
    if (caller == 0) {
        request_text(channel.client, "question", "answer");
        EXPECT(rr_client_pending(channel.client), 0);
        child_ends();
    }
    taken_by_the_dead(channel.server);
    char buffer[64];
    rr_request request;
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 60 * SECOND), 8);
    CHECK(memcmp(buffer, "question", 8) == 0);
    EXPECT(request.redeliveries, 1);
    reply_text(channel.server, request.id, "answer");
    expect_ended_well(caller);
    close_pair(&channel);
}

/* ---- every kind of wait lasts through a death ---- */

static int64_t by_get_wait(rr_client *client, uint64_t id)
{
    char buffer[64];
    return rr_client_get_wait(client, id, buffer, sizeof buffer, 60 * SECOND);
}

static int64_t by_view(rr_client *client, uint64_t id)
{
    rr_view view;
    int64_t length = rr_client_view(client, id, &view, NULL, within(60 * SECOND));
    EXPECT(rr_client_release(client, id), 0);
    return length;
}

static int64_t by_wait_any(rr_client *client, uint64_t id)
{
    EXPECT(rr_client_wait_any(client, &id, 1, within(60 * SECOND)), 0);
    return by_get_wait(client, id);
}

static void every_wait_for_a_reply_lasts_through_the_death_of_its_server(void)
{
    int64_t (*const waits[])(rr_client *, uint64_t) = {by_get_wait, by_view, by_wait_any};
    for (size_t k = 0; k < LENGTH(waits); k++) {
        pair channel = open_redelivering(2);
        uint64_t id = send_text(channel.client, "question");
        pid_t dying = doomed_holder(channel.server);
        pid_t living = fork_child();
        if (living == 0) {
            serve_echo(channel.server, 1);
            child_ends();
        }
        deed killing;
        plan(&killing, rr_client_channel(channel.client), kill_doomed, &dying);
        EXPECT(waits[k](channel.client, id), 8);
        done(&killing);
        expect_killed(dying);
        expect_ended_well(living);
        close_pair(&channel);
    }
}

/* Nobody but the waiting server is there to notice. */
static void a_server_that_waits_takes_what_a_killed_one_held(void)
{
    pair channel = open_redelivering(2);
    post_text(channel.client, "post");
    send_text(channel.client, "request");
    pid_t post_holder = doomed_holder(channel.server), request_holder = doomed_holder(channel.server);
    deed killing, killing_too;
    plan(&killing, rr_server_channel(channel.server), kill_doomed, &post_holder);
    plan(&killing_too, rr_server_channel(channel.server), kill_doomed, &request_holder);
    for (int k = 0; k < 2; k++) {
        char buffer[64];
        rr_request request;
        EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 60 * SECOND) > 0, 1);
        EXPECT(request.redeliveries, 1);
    }
    done(&killing);
    done(&killing_too);
    expect_killed(post_holder);
    expect_killed(request_holder);
    close_pair(&channel);
}

/* ---- what comes back ---- */

static void a_request_comes_back_as_it_was(void)
{
    pair channel = open_redelivering(2);
    static char sent[4096];
    memset(sent, 's', sizeof sent);
    for (uint32_t flags = 0; flags <= (RR_MSG_UTF8 | RR_MSG_END_ALIGNED); flags++) {
        uint64_t id;
        rr_view view;
        EXPECT(send_labelled(channel.client, sent, 3000, 1000, flags, &id, 0), 0);
        taken_by_the_dead(channel.server);
        recover(&channel, 1);
        EXPECT(get(&channel, id), -EAGAIN);
        EXPECT(rr_client_pending(channel.client), 1);
        EXPECT(rr_channel_queued(rr_client_channel(channel.client)), 1);
        EXPECT(rr_recv_view(channel.server, &view, within(0)), 3000);
        CHECK(view.id == id && view.msg_type == 1000 && view.flags == flags && view.client != 0);
        EXPECT(view.redeliveries, 1);
        CHECK(memcmp(view.data, sent, 3000) == 0);
        reply_text(channel.server, id, "reply");
        collect_text(channel.client, id, "reply");
        recover(&channel, 0);
        expect_none_queued(channel.server);
    }
    close_pair(&channel);
}

static void a_request_survives_15_servers_and_not_the_16th(void)
{
    pair channel = open_redelivering(1);
    uint64_t id = send_text(channel.client, "question");
    for (int death = 0; death <= REDELIVERIES; death++) {
        EXPECT(get(&channel, id), -EAGAIN);
        pid_t server = fork_child();
        if (server == 0) {
            take_again(channel.server, "question", (uint32_t)death);
            kill(getpid(), SIGKILL);
        }
        expect_killed(server);
        recover(&channel, 1);
    }
    EXPECT(get(&channel, id), -EOWNERDEAD);
    EXPECT(get(&channel, id), -ESTALE);
    expect_none_queued(channel.server);

    id = send_text(channel.client, "next");
    take_again(channel.server, "next", 0);
    reply_text(channel.server, id, "reply");
    collect_text(channel.client, id, "reply");
    close_pair(&channel);
}

static void a_post_comes_back_until_a_server_is_done_with_it(void)
{
    pair channel = open_redelivering(1);
    post_text(channel.client, "post");
    for (uint32_t death = 0; death < 3; death++) {
        taken_by_the_dead(channel.server);
        recover(&channel, 1);
        EXPECT(rr_client_post(channel.client, "no", 2, 0), -ENOBUFS);
    }
    uint64_t id = take_again(channel.server, "post", 3);
    EXPECT(rr_dismiss(channel.server, id), 0);
    recover(&channel, 0);
    expect_none_queued(channel.server);
    expect_nothing_left(rr_client_channel(channel.client));
    close_pair(&channel);
}

static void a_post_is_lost_with_the_16th_server(void)
{
    pair channel = open_redelivering(1);
    post_text(channel.client, "post");
    for (int death = 0; death <= REDELIVERIES; death++) {
        taken_by_the_dead(channel.server);
        recover(&channel, 1);
    }
    expect_none_queued(channel.server);
    expect_nothing_left(rr_client_channel(channel.client));
    expect_works(&channel);
    close_pair(&channel);
}

static void post_once(void *client)
{
    post_text((rr_client *)client, "post");
}

static void a_post_comes_back_though_who_sent_it_is_dead_too(void)
{
    pair channel = open_redelivering(1);
    for (int together = 0; together < 2; together++) {
        kill_and_reap(doomed_after(post_once, channel.client));
        if (!together)
            recover(&channel, 1);
        taken_by_the_dead(channel.server);
        recover(&channel, together ? 2 : 1);
        EXPECT(rr_dismiss(channel.server, take_again(channel.server, "post", 1)), 0);
        expect_none_queued(channel.server);
        expect_nothing_left(rr_client_channel(channel.client));
    }
    close_pair(&channel);
}

static void a_server_that_leaves_hands_back_what_it_holds(void)
{
    pair channel = open_redelivering(4);
    rr_server *leaving = another_server(&channel, NULL);
    uint64_t replied = send_text(channel.client, "replied"), dropped = send_text(channel.client, "dropped");
    uint64_t held = send_text(channel.client, "held");
    post_text(channel.client, "post");
    reply_text(leaving, take_text(leaving, "replied"), "reply");
    EXPECT(rr_dismiss(leaving, take_text(leaving, "dropped")), 0);
    take_text(leaving, "held");
    take_post(leaving, "post");
    expect_none_queued(channel.server);
    rr_server_free(leaving);

    EXPECT(rr_channel_queued(rr_client_channel(channel.client)), 2);
    uint32_t posts = 0;
    for (int k = 0; k < 2; k++) {
        char buffer[64];
        rr_request request;
        CHECK(rr_recv(channel.server, buffer, sizeof buffer, &request) == 4);
        EXPECT(request.redeliveries, 1);
        CHECK(memcmp(buffer, request.flags == RR_MSG_ONE_WAY ? "post" : "held", 4) == 0);
        posts += request.flags == RR_MSG_ONE_WAY;
        EXPECT(rr_reply(channel.server, request.id, "late", 4), 0);
    }
    EXPECT(posts, 1);
    expect_none_queued(channel.server);
    collect_text(channel.client, held, "late");
    collect_text(channel.client, replied, "reply");
    EXPECT(get(&channel, dropped), -ENOMSG);
    expect_nothing_left(rr_client_channel(channel.client));
    close_pair(&channel);
}

/* ---- what does not come back ---- */

static void a_request_that_was_given_up_does_not_come_back(void)
{
    for (int swept_first = 0; swept_first < 2; swept_first++) {
        pair channel = open_redelivering(1);
        for (int k = 0; k < 10; k++) {
            uint64_t id = send_text(channel.client, "question");
            taken_by_the_dead(channel.server);
            if (swept_first)
                recover(&channel, 1);
            EXPECT(rr_client_cancel(channel.client, id), 0);
            if (!swept_first)
                recover(&channel, 1);
            expect_none_queued(channel.server);
            EXPECT(get(&channel, id), -ESTALE);
            expect_nothing_left(rr_client_channel(channel.client));
        }
        expect_works(&channel);
        close_pair(&channel);
    }
}

static void send_once(void *client)
{
    send_text((rr_client *)client, "of the dead");
}

static void the_request_of_a_dead_client_does_not_come_back(void)
{
    for (int swept_first = 0; swept_first < 2; swept_first++) {
        pair channel = open_redelivering(1);
        pid_t client = doomed_after(send_once, channel.client);
        taken_by_the_dead(channel.server);
        if (swept_first)
            recover(&channel, 1);
        kill_and_reap(client);
        recover(&channel, swept_first ? 1 : 2);
        expect_none_queued(channel.server);
        expect_nothing_left(rr_client_channel(channel.client));
        close_pair(&channel);
    }
}

static void what_was_replied_to_before_a_death_does_not_come_back(void)
{
    pair channel = open_redelivering(1);
    uint64_t id = send_text(channel.client, "question");
    pid_t server = fork_child();
    if (server == 0) {
        serve_echo(channel.server, 1);
        kill(getpid(), SIGKILL);
    }
    expect_killed(server);
    recover(&channel, 1);
    expect_none_queued(channel.server);
    collect_text(channel.client, id, "question");
    close_pair(&channel);
}

/* ---- whose behaviour it is ---- */

static void a_handle_that_did_not_ask_for_it_keeps_what_the_channel_does(void)
{
    const rr_options plain = RR_OPTIONS_INIT;
    pair channel = open_redelivering(1);
    rr_server *attached = another_server(&channel, &plain);
    rr_server_free(channel.server);
    channel.server = attached;
    uint64_t id = send_text(channel.client, "question");
    taken_by_the_dead(channel.server);
    EXPECT(rr_channel_recover(rr_server_channel(attached)), 1);
    EXPECT(get(&channel, id), -EAGAIN);
    rr_server *leaving = another_server(&channel, NULL);
    take_again(leaving, "question", 1);
    rr_server_free(leaving);
    EXPECT(get(&channel, id), -EAGAIN);
    take_again(channel.server, "question", 2);
    reply_text(channel.server, id, "reply");
    collect_text(channel.client, id, "reply");
    close_pair(&channel);
}

static void without_the_flag_a_request_fails_whoever_asked_for_it_later(void)
{
    rr_options asking = RR_OPTIONS_INIT;
    asking.flags = RR_OPT_REDELIVER;
    pair channel = open_pair(1);
    rr_server *attached = another_server(&channel, &asking);
    rr_server_free(channel.server);
    channel.server = attached;
    uint64_t id = send_text(channel.client, "question");
    taken_by_the_dead(channel.server);
    EXPECT(rr_channel_recover(rr_server_channel(attached)), 1);
    expect_none_queued(channel.server);
    EXPECT(get(&channel, id), -EOWNERDEAD);

    rr_server *leaving = another_server(&channel, &asking);
    id = send_text(channel.client, "question");
    take_again(leaving, "question", 0);
    rr_server_free(leaving);
    EXPECT(get(&channel, id), -EOWNERDEAD);
    expect_works(&channel);
    close_pair(&channel);
}

int main(void)
{
    RUN(a_waiting_client_is_not_told_and_gets_the_reply_of_another_server);
    RUN(every_wait_for_a_reply_lasts_through_the_death_of_its_server);
    RUN(a_server_that_waits_takes_what_a_killed_one_held);
    RUN(a_request_comes_back_as_it_was);
    RUN(a_request_survives_15_servers_and_not_the_16th);
    RUN(a_post_comes_back_until_a_server_is_done_with_it);
    RUN(a_post_is_lost_with_the_16th_server);
    RUN(a_post_comes_back_though_who_sent_it_is_dead_too);
    RUN(a_server_that_leaves_hands_back_what_it_holds);
    RUN(a_request_that_was_given_up_does_not_come_back);
    RUN(the_request_of_a_dead_client_does_not_come_back);
    RUN(what_was_replied_to_before_a_death_does_not_come_back);
    RUN(a_handle_that_did_not_ask_for_it_keeps_what_the_channel_does);
    RUN(without_the_flag_a_request_fails_whoever_asked_for_it_later);
    return 0;
}
