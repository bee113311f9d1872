/*
 * One-way messages: delivered, not replied to, and nothing of them is left when their server is done with them.
 */
#include "posts.h"
#include "doomed.h"
#include "interrupts.h"

static void a_post_arrives_as_one_way_and_is_not_pending(void)
{
    pair channel = open_pair(2);
    static char sent[4096], got[4096];
    const size_t lengths[] = {0, 1, 104, 105, 4096};
    memset(sent, 'p', sizeof sent);
    for (size_t k = 0; k < LENGTH(lengths); k++) {
        rr_request request;
        EXPECT(rr_client_post(channel.client, lengths[k] ? sent : NULL, lengths[k], FOREVER), 0);
        EXPECT(rr_client_pending(channel.client), 0);
        EXPECT(rr_channel_queued(rr_client_channel(channel.client)), 1);
        EXPECT(rr_recv(channel.server, got, sizeof got, &request), lengths[k]);
        CHECK(memcmp(got, sent, lengths[k]) == 0);
        CHECK(request.flags == RR_MSG_ONE_WAY && request.msg_type == 0 && request.redeliveries == 0);
        CHECK(request.client != 0);
        EXPECT(rr_release(channel.server, request.id), 0);
        EXPECT(rr_client_get(channel.client, request.id, got, sizeof got), -ESTALE);
    }
    expect_nothing_left(rr_client_channel(channel.client));
    close_pair(&channel);
}

static void posts_and_requests_are_served_in_their_order(void)
{
    pair channel = open_pair(4);
    rr_client *other = another_client(&channel);
    post_text(channel.client, "first");
    uint64_t id = send_text(channel.client, "second");
    post_text(other, "third");
    post_text(channel.client, "fourth");
    expect_post(channel.server, "first");
    reply_text(channel.server, take_text(channel.server, "second"), "reply");
    expect_post(channel.server, "third");
    expect_post(channel.server, "fourth");
    collect_text(channel.client, id, "reply");
    rr_client_free(other);
    close_pair(&channel);
}

static void posts_are_counted_apart_from_requests(void)
{
    pair channel = open_pair(4);
    rr_channel *handle = rr_client_channel(channel.client);
    expect_works(&channel);
    CHECK(stats_of(handle).requests == 1 && stats_of(handle).posts == 0);
    post_text(channel.client, "one");
    post_text(channel.client, "two");
    rr_stats stats = stats_of(handle);
    CHECK(stats.requests == 1 && stats.posts == 2);
    CHECK(stats.queued == 2 && stats.in_flight == 2 && stats.free == 2);
    CHECK(stats.request_bytes == strlen("works?") + strlen("one") + strlen("two"));
    expect_post(channel.server, "one");
    expect_post(channel.server, "two");
    CHECK(stats_of(handle).replies == 1);
    close_pair(&channel);
}

static void a_slot_is_free_when_its_server_is_done_with_the_post_and_not_before(void)
{
    pair channel = open_pair(1);
    uint64_t before = 0;
    for (int k = 0; k < 5; k++) {
        post_text(channel.client, "held");
        EXPECT(rr_client_post(channel.client, "no", 2, 0), -ENOBUFS);
        uint64_t id = take_post(channel.server, "held");
        CHECK(id != before);
        EXPECT(rr_client_post(channel.client, "no", 2, 0), -ENOBUFS);
        EXPECT(rr_client_req(channel.client, "no", 2, NULL, 0, 0), -ENOBUFS);
        EXPECT(rr_dismiss(channel.server, before), -ESTALE);
        EXPECT(rr_client_post(channel.client, "no", 2, 0), -ENOBUFS);
        EXPECT(rr_release(channel.server, id), 0);
        EXPECT(rr_release(channel.server, id), -ESTALE);
        before = id;
    }
    expect_none_queued(channel.server);
    expect_works(&channel);
    close_pair(&channel);
}

/* ---- what a server may do instead of rr_release ---- */

static uint64_t taken(rr_server *server)
{
    return take_post(server, "post");
}

static uint64_t by_reply(rr_server *server)
{
    uint64_t id = taken(server);
    EXPECT(rr_reply(server, id, "reply", 5), 0);
    return id;
}

static uint64_t by_labelled_reply(rr_server *server)
{
    uint64_t id = taken(server);
    EXPECT(reply_labelled(server, id, "reply", 5, 300, RR_MSG_UTF8), 0);
    return id;
}

static uint64_t by_error_reply(rr_server *server)
{
    uint64_t id = taken(server);
    EXPECT(rr_reply_error(server, id, 3, "three"), 0);
    return id;
}

static uint64_t by_reply_in_place(rr_server *server)
{
    uint64_t id = taken(server);
    void *data = NULL;
    size_t room = 0;
    EXPECT(loan_reply(server, id, &data, &room), 0);
    CHECK(room == 4096);
    memset(data, 'r', room);
    EXPECT(commit_reply(server, id, room, 0, 0), 0);
    return id;
}

static int handle_once(void *context, const rr_view *request, rr_buffer *reply)
{
    *(uint64_t *)context = request->id;
    CHECK(request->flags == RR_MSG_ONE_WAY && request->length == 4);
    memcpy(reply->data, "reply", 5);
    reply->length = 5;
    return RR_SERVE_STOP;
}

static uint64_t by_handler(rr_server *server)
{
    uint64_t id = 0;
    EXPECT(rr_serve(server, handle_once, &id, NULL), 0);
    return id;
}

static void what_is_replied_to_a_post_is_dropped_and_the_slot_is_free(void)
{
    uint64_t (*const ways[])(rr_server *) = {
        by_reply, by_labelled_reply, by_error_reply, by_reply_in_place, by_handler,
    };
    pair channel = open_pair(1);
    for (size_t k = 0; k < LENGTH(ways); k++) {
        post_text(channel.client, "post");
        uint64_t id = ways[k](channel.server);
        expect_nothing_left(rr_client_channel(channel.client));
        EXPECT(rr_release(channel.server, id), -ESTALE);
        EXPECT(rr_reply(channel.server, id, "", 0), -ESTALE);
        EXPECT(rr_reply_error(channel.server, id, 1, ""), -ESTALE);
        EXPECT(rr_client_get(channel.client, id, NULL, 0), -ESTALE);
        EXPECT(rr_client_pending(channel.client), 0);
        expect_works(&channel);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).replies == LENGTH(ways));
    close_pair(&channel);
}

static int stop_and_fail(void *server, const rr_view *request, rr_buffer *reply)
{
    (void)request, (void)reply;
    EXPECT(rr_server_stop((rr_server *)server), 0);
    return -5;
}

static void a_handler_that_stops_its_handle_and_fails_is_done_with_the_post(void)
{
    pair channel = open_pair(1);
    post_text(channel.client, "post");
    EXPECT(rr_serve(channel.server, stop_and_fail, channel.server, NULL), -ESHUTDOWN);
    expect_nothing_left(rr_client_channel(channel.client));
    close_pair(&channel);
}

/* ---- refusals ---- */

static void a_post_that_is_refused_is_not_sent(void)
{
    pair channel = open_pair(1);
    static const char long_one[4097] = {0};
    EXPECT(rr_client_post(channel.client, long_one, sizeof long_one, FOREVER), -EMSGSIZE);
    EXPECT(rr_client_post(channel.client, NULL, 1, FOREVER), -EINVAL);
    EXPECT(rr_client_post(NULL, "", 0, FOREVER), -EINVAL);
    expect_none_queued(channel.server);
    post_text(channel.client, "held");
    int64_t begun = now();
    EXPECT(rr_client_post(channel.client, "late", 4, 30 * MS), -ETIMEDOUT);
    CHECK(now() - begun >= 30 * MS && now() - begun < 10 * SECOND);
    timer_t timer = begin_interrupts(SA_RESTART);
    EXPECT(rr_client_post(channel.client, "late", 4, FOREVER), -EINTR);
    EXPECT(rr_client_post(channel.client, "late", 4, 60 * SECOND), -EINTR);
    end_interrupts(timer);
    CHECK(stats_of(rr_client_channel(channel.client)).posts == 1);
    CHECK(stats_of(rr_client_channel(channel.client)).timeouts == 1);
    expect_post(channel.server, "held");
    expect_none_queued(channel.server);
    expect_works(&channel);
    close_pair(&channel);
}

static void stop(void *client)
{
    EXPECT(rr_client_stop((rr_client *)client), 0);
}

static void a_stop_ends_a_wait_to_post(void)
{
    pair channel = open_pair(1);
    deed stopping;
    post_text(channel.client, "held");
    plan(&stopping, rr_client_channel(channel.client), stop, channel.client);
    EXPECT(rr_client_post(channel.client, "late", 4, FOREVER), -ESHUTDOWN);
    done(&stopping);
    EXPECT(rr_client_post(channel.client, "late", 4, FOREVER), -ESHUTDOWN);
    expect_post(channel.server, "held");
    expect_none_queued(channel.server);
    close_pair(&channel);
}

static void release_held(void *server)
{
    expect_post((rr_server *)server, "held");
}

static void reply_to_held(void *server)
{
    EXPECT(rr_reply((rr_server *)server, take_post((rr_server *)server, "held"), "", 0), 0);
}

static void who_waits_to_post_goes_on_when_a_server_is_done_with_another(void)
{
    void (*const ways[])(void *) = {release_held, reply_to_held};
    pair channel = open_pair(1);
    for (size_t k = 0; k < LENGTH(ways); k++) {
        deed releasing;
        post_text(channel.client, "held");
        plan(&releasing, rr_client_channel(channel.client), ways[k], channel.server);
        EXPECT(rr_client_post(channel.client, "next", 4, FOREVER), 0);
        done(&releasing);
        expect_post(channel.server, "next");
    }
    close_pair(&channel);
}

/* ---- servers that die with a post ---- */

static void a_post_is_lost_with_the_server_that_held_it_and_its_slot_is_not(void)
{
    pair channel = open_pair(1);
    for (int k = 0; k < 3; k++) {
        post_text(channel.client, "lost");
        taken_by_the_dead(channel.server);
        EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 1);
        expect_none_queued(channel.server);
        expect_nothing_left(rr_client_channel(channel.client));
    }
    expect_works(&channel);
    close_pair(&channel);
}

static void who_finds_no_slot_gets_that_of_a_post_whose_server_died(void)
{
    pair channel = open_pair(1);
    post_text(channel.client, "lost");
    taken_by_the_dead(channel.server);
    EXPECT(rr_client_post(channel.client, "next", 4, FOREVER), 0);
    expect_post(channel.server, "next");
    close_pair(&channel);
}

static void a_server_that_leaves_lets_go_of_its_posts(void)
{
    pair channel = open_pair(2);
    rr_server *leaving;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &leaving, NULL), 0);
    post_text(channel.client, "held");
    post_text(channel.client, "queued");
    uint64_t id = take_post(leaving, "held");
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);
    rr_server_free(leaving);
    EXPECT(rr_channel_queued(rr_client_channel(channel.client)), 1);
    expect_post(channel.server, "queued");
    expect_nothing_left(rr_client_channel(channel.client));
    close_pair(&channel);
}

int main(void)
{
    RUN(a_post_arrives_as_one_way_and_is_not_pending);
    RUN(posts_and_requests_are_served_in_their_order);
    RUN(posts_are_counted_apart_from_requests);
    RUN(a_slot_is_free_when_its_server_is_done_with_the_post_and_not_before);
    RUN(what_is_replied_to_a_post_is_dropped_and_the_slot_is_free);
    RUN(a_handler_that_stops_its_handle_and_fails_is_done_with_the_post);
    RUN(a_post_that_is_refused_is_not_sent);
    RUN(a_stop_ends_a_wait_to_post);
    RUN(who_waits_to_post_goes_on_when_a_server_is_done_with_another);
    RUN(a_post_is_lost_with_the_server_that_held_it_and_its_slot_is_not);
    RUN(who_finds_no_slot_gets_that_of_a_post_whose_server_died);
    RUN(a_server_that_leaves_lets_go_of_its_posts);
    return 0;
}
