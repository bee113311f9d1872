/*
 * Requests read in place, one or several at a time: they come in their order, a batch waits for its first only, and
 * what a view shows stays until the reply.
 */
#include "in_place.h"

static void send_texts(rr_client *client, const char *const *texts, size_t count, uint64_t *ids)
{
    for (size_t k = 0; k < count; k++)
        ids[k] = send_text(client, texts[k]);
}

static void expect_shows(const rr_view *view, const char *text)
{
    CHECK(view->length == strlen(text) && memcmp(view->data, text, strlen(text)) == 0);
}

static void reply_as_asked(rr_server *server, const rr_view *view)
{
    EXPECT(rr_reply(server, view->id, view->data, view->length), 0);
}

static const char *const FIVE[] = {"first", "second", "third", "fourth", "fifth"};

static void requests_of_every_length_are_seen_as_they_were_sent(void)
{
    pair channel = open_odd_pair(2);
    rr_client *other = another_client(&channel);
    uint32_t clients[2] = {0, 0};
    for (unsigned k = 0; k < LENGTH(REQUEST_LENGTHS) * LENGTH(ALIGNMENTS); k++) {
        rr_client *client = k & 1 ? other : channel.client;
        size_t length = REQUEST_LENGTHS[k / 2];
        uint32_t type = k % 3 ? 128 + k : 0, flags = ALIGNMENTS[k % 2] | (k % 3 == 1 ? RR_MSG_UTF8 : 0);
        unsigned char sent[REQUEST_MAX];
        uint64_t id;
        fill(sent, length, k);
        EXPECT(send_labelled(client, sent, length, type, flags, &id, 0), 0);
        rr_view view;
        EXPECT(rr_recv_view(channel.server, &view, within(0)), length);
        expect_seen(&view, length, type, flags, k);
        CHECK((int64_t)view.id > 0 && view.redeliveries == 0);
        CHECK(clients[k & 1] == 0 || clients[k & 1] == view.client);
        clients[k & 1] = view.client;
        reply_text(channel.server, view.id, "seen");
        collect_text(client, id, "seen");
    }
    CHECK(clients[0] != clients[1] && clients[0] != 0 && clients[1] != 0);
    rr_client_free(other);
    close_pair(&channel);
}

static void what_is_seen_stays_until_the_reply_whatever_the_client_does(void)
{
    for (size_t k = 0; k < LENGTH(REQUEST_LENGTHS) * 2; k++) {
        pair channel = open_odd_pair(1);
        rr_client *leaving = another_client(&channel);
        unsigned char sent[REQUEST_MAX];
        size_t length = REQUEST_LENGTHS[k / 2];
        rr_view view;
        uint64_t id;
        fill(sent, sizeof sent, 9);
        EXPECT(rr_client_send(leaving, sent, length, &id), 0);
        EXPECT(rr_recv_view(channel.server, &view, within(0)), length);
        if (k % 2)
            EXPECT(rr_client_cancel(leaving, id), 0);
        rr_client_free(leaving);

        memset(sent, CANARY, sizeof sent);
        for (int round = 0; round < 40; round++) {
            EXPECT(rr_client_send(channel.client, sent, sizeof sent, &id), 0);
            reply_text(channel.server, take_any(channel.server), "other");
            collect_text(channel.client, id, "other");
        }
        CHECK(is_filled(view.data, length, 9));
        EXPECT(rr_reply(channel.server, view.id, "late", 4), -ESTALE);
        close_pair(&channel);
    }
}

static void a_batch_takes_as_many_as_it_may_in_their_order(void)
{
    pair channel = open_pair(8);
    uint64_t ids[5];
    rr_view views[8];
    send_texts(channel.client, FIVE, 5, ids);
    EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), 3, NULL), 3);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 2);
    EXPECT(rr_drain(channel.server, views + 3, sizeof(rr_view), 5), 2);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 0);
    EXPECT(rr_drain(channel.server, views + 5, sizeof(rr_view), 3), -EAGAIN);
    EXPECT(rr_recv_batch(channel.server, views + 5, sizeof(rr_view), 3, within(0)), -EAGAIN);
    for (size_t k = 0; k < 5; k++) {
        expect_shows(&views[k], FIVE[k]);
        reply_as_asked(channel.server, &views[k]);
        collect_text(channel.client, ids[k], FIVE[k]);
    }
    close_pair(&channel);
}

static void nothing_past_the_count_is_written(void)
{
    pair channel = open_pair(4);
    uint64_t ids[2];
    rr_view views[4], untouched;
    memset(&untouched, CANARY, sizeof untouched);
    for (int drains = 0; drains < 2; drains++) {
        memset(views, CANARY, sizeof views);
        send_texts(channel.client, FIVE, 2, ids);
        int64_t count = drains ? rr_drain(channel.server, views, sizeof(rr_view), 4) : rr_recv_batch(channel.server, views, sizeof(rr_view), 4, NULL);
        EXPECT(count, 2);
        CHECK(memcmp(&views[2], &untouched, sizeof untouched) == 0);
        CHECK(memcmp(&views[3], &untouched, sizeof untouched) == 0);
    }
    close_pair(&channel);
}

static void the_order_is_kept_over_all_ways_to_take(void)
{
    pair channel = open_pair(16);
    rr_client *other = another_client(&channel);
    for (unsigned lap = 0; lap < 20; lap++) {
        unsigned numbers[16], got = 0;
        uint64_t ids[16], taken[16];
        rr_view views[16];
        rr_request request;
        for (unsigned k = 0; k < 16; k++) {
            numbers[k] = lap * 16 + k;
            EXPECT(rr_client_send(k % 3 ? other : channel.client, &numbers[k], sizeof numbers[k], &ids[k]), 0);
        }
        EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), 4, NULL), 4);
        EXPECT(rr_recv(channel.server, &got, sizeof got, &request), sizeof got);
        CHECK(got == numbers[4]);
        taken[4] = request.id;
        EXPECT(rr_drain(channel.server, views + 5, sizeof(rr_view), 3), 3);
        EXPECT(rr_recv_view(channel.server, &views[8], NULL), sizeof got);
        EXPECT(rr_recv_wait(channel.server, &got, sizeof got, &request, FOREVER), sizeof got);
        CHECK(got == numbers[9]);
        taken[9] = request.id;
        EXPECT(rr_drain(channel.server, views + 10, sizeof(rr_view), 6), 6);
        for (unsigned k = 0; k < 16; k++) {
            if (k != 4 && k != 9) {
                CHECK(memcmp(views[k].data, &numbers[k], sizeof numbers[k]) == 0);
                taken[k] = views[k].id;
            }
        }
        for (unsigned k = 0; k < 16; k++) {
            /* 7 and 16 have no common factor: every one once, in another order. */
            unsigned next = k * 7 % 16;
            EXPECT(rr_reply(channel.server, taken[next], &numbers[next], sizeof got), 0);
        }
        for (unsigned k = 0; k < 16; k++) {
            EXPECT(rr_client_get(k % 3 ? other : channel.client, ids[k], &got, sizeof got), sizeof got);
            CHECK(got == numbers[k]);
        }
    }
    rr_client_free(other);
    close_pair(&channel);
}

static void a_batch_may_be_answered_in_any_order_to_whoever_asked(void)
{
    pair channel = open_pair(5);
    rr_client *other = another_client(&channel);
    uint64_t ids[5];
    rr_view views[5];
    for (size_t k = 0; k < 5; k++)
        ids[k] = send_text(k % 2 ? other : channel.client, FIVE[k]);
    EXPECT(rr_drain(channel.server, views, sizeof(rr_view), 5), 5);
    for (size_t k = 5; k-- > 0;) {
        rr_client *asked = k % 2 ? other : channel.client;
        EXPECT(rr_client_get(asked, ids[k], NULL, 0), -EAGAIN);
        CHECK(views[k].client == views[k % 2].client);
        reply_as_asked(channel.server, &views[k]);
        EXPECT(rr_client_get(k % 2 ? channel.client : other, ids[k], NULL, 0), -ESTALE);
        collect_text(asked, ids[k], FIVE[k]);
    }
    CHECK(views[0].client != views[1].client);
    rr_client_free(other);
    close_pair(&channel);
}

static void send_one(void *client)
{
    send_text((rr_client *)client, "first");
}

static void a_batch_waits_for_its_first_only(void)
{
    pair channel = open_pair(8);
    rr_view views[8];
    deed sending;
    plan(&sending, rr_client_channel(channel.client), send_one, channel.client);
    EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), LENGTH(views), NULL), 1);
    done(&sending);
    expect_shows(&views[0], "first");
    plan(&sending, rr_client_channel(channel.client), send_one, channel.client);
    EXPECT(rr_recv_view(channel.server, &views[1], NULL), 5);
    done(&sending);
    expect_shows(&views[1], "first");
    close_pair(&channel);
}

static void one_wake_up_is_enough_for_many_requests(void)
{
    pair channel = open_pair(8);
    rr_channel *handle = rr_client_channel(channel.client);
    uint64_t ids[5], sleeps = stats_of(handle).sleeps;
    pid_t server = fork_child();
    if (server == 0) {
        rr_view views[8];
        EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), LENGTH(views), NULL), 5);
        for (int k = 0; k < 5; k++)
            reply_as_asked(channel.server, &views[k]);
        child_ends();
    }
    while (stats_of(handle).sleeps == sleeps)
        sched_yield();
    /* Stopped, it can't act on the first before the last is there. */
    int status;
    CHECK(kill(server, SIGSTOP) == 0);
    CHECK(waitpid(server, &status, WUNTRACED) == server && WIFSTOPPED(status));
    sleeps = stats_of(handle).sleeps;
    send_texts(channel.client, FIVE, 5, ids);
    CHECK(kill(server, SIGCONT) == 0);
    expect_ended_well(server);
    /* At most the one that it was about to begin. */
    CHECK(stats_of(handle).sleeps <= sleeps + 1);
    for (int k = 0; k < 5; k++)
        collect_text(channel.client, ids[k], FIVE[k]);
    close_pair(&channel);
}

static void without_a_request_in_time_none_is_taken(void)
{
    pair channel = open_pair(2);
    rr_view views[2];
    EXPECT(rr_recv_view(channel.server, views, within(0)), -EAGAIN);
    for (int several = 0; several < 2; several++) {
        int64_t begun = now();
        if (several)
            EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), 2, within(30 * MS)), -ETIMEDOUT);
        else
            EXPECT(rr_recv_view(channel.server, views, within(30 * MS)), -ETIMEDOUT);
        int64_t took = now() - begun;
        CHECK(took >= 30 * MS && took < 10 * SECOND);
    }
    CHECK(stats_of(rr_server_channel(channel.server)).timeouts == 2);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_batch_of_none_and_a_null_pointer_are_refused(void)
{
    pair channel = open_pair(2);
    rr_view view;
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_recv_batch(channel.server, &view, sizeof(rr_view), 0, NULL), -EINVAL);
    EXPECT(rr_drain(channel.server, &view, sizeof(rr_view), 0), -EINVAL);
    EXPECT(rr_recv_view(NULL, &view, within(0)), -EINVAL);
    EXPECT(rr_recv_view(channel.server, NULL, within(0)), -EINVAL);
    EXPECT(rr_recv_batch(NULL, &view, sizeof(rr_view), 1, within(0)), -EINVAL);
    EXPECT(rr_recv_batch(channel.server, NULL, sizeof(rr_view), 1, within(0)), -EINVAL);
    EXPECT(rr_drain(NULL, &view, sizeof(rr_view), 1), -EINVAL);
    EXPECT(rr_drain(channel.server, NULL, sizeof(rr_view), 1), -EINVAL);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 1);
    reply_text(channel.server, take_text(channel.server, "question"), "reply");
    collect_text(channel.client, id, "reply");
    close_pair(&channel);
}

static void a_stopped_handle_takes_nothing(void)
{
    pair channel = open_pair(2);
    rr_view views[2];
    send_text(channel.client, "question");
    EXPECT(rr_server_stop(channel.server), 0);
    EXPECT(rr_recv_view(channel.server, views, NULL), -ESHUTDOWN);
    EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), 2, NULL), -ESHUTDOWN);
    EXPECT(rr_drain(channel.server, views, sizeof(rr_view), 2), -ESHUTDOWN);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 1);
    close_pair(&channel);
}

static void a_request_seen_by_a_server_that_leaves_fails_at_once(void)
{
    pair channel = open_pair(4);
    rr_server *leaving;
    uint64_t ids[3];
    rr_view views[3];
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &leaving, NULL), 0);
    send_texts(channel.client, FIVE, 3, ids);
    EXPECT(rr_recv_batch(leaving, views, sizeof(rr_view), 3, NULL), 3);
    reply_as_asked(leaving, &views[1]);
    rr_server_free(leaving);
    EXPECT(rr_client_get(channel.client, ids[0], NULL, 0), -EOWNERDEAD);
    collect_text(channel.client, ids[1], FIVE[1]);
    EXPECT(rr_client_get(channel.client, ids[2], NULL, 0), -EOWNERDEAD);
    expect_works(&channel);
    close_pair(&channel);
}

int main(void)
{
    RUN(requests_of_every_length_are_seen_as_they_were_sent);
    RUN(what_is_seen_stays_until_the_reply_whatever_the_client_does);
    RUN(a_batch_takes_as_many_as_it_may_in_their_order);
    RUN(nothing_past_the_count_is_written);
    RUN(the_order_is_kept_over_all_ways_to_take);
    RUN(a_batch_may_be_answered_in_any_order_to_whoever_asked);
    RUN(a_batch_waits_for_its_first_only);
    RUN(one_wake_up_is_enough_for_many_requests);
    RUN(without_a_request_in_time_none_is_taken);
    RUN(a_batch_of_none_and_a_null_pointer_are_refused);
    RUN(a_stopped_handle_takes_nothing);
    RUN(a_request_seen_by_a_server_that_leaves_fails_at_once);
    return 0;
}
