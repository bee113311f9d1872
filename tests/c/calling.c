/*
 * Requests and replies: how many are in flight, in which order, what a cancel does to them, and that an id is good for
 * one request and one collection.
 */
#include "fixture.h"

static void as_many_requests_are_in_flight_as_there_are_slots(void)
{
    for (uint32_t slots = 1; slots <= 70; slots += 23) {
        pair channel = open_pair(slots);
        rr_client *other = another_client(&channel);
        uint64_t ids[70], id = 99;
        for (uint32_t k = 0; k < slots; k++)
            ids[k] = send_text(k % 2 ? other : channel.client, "one");
        EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
        EXPECT(rr_client_send(other, "", 0, &id), -ENOBUFS);
        rr_stats stats = stats_of(rr_client_channel(other));
        CHECK(stats.slots == slots && stats.in_flight == slots && stats.queued == slots && stats.free == 0);
        EXPECT(rr_client_pending(channel.client), (slots + 1) / 2);
        EXPECT(rr_client_pending(other), slots / 2);
        for (uint32_t k = 0; k < slots; k++) {
            reply_text(channel.server, take_text(channel.server, "one"), "done");
            EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
        }
        for (uint32_t k = 0; k < slots; k++)
            collect_text(k % 2 ? other : channel.client, ids[k], "done");
        expect_works(&channel);
        rr_client_free(other);
        close_pair(&channel);
    }
}

static void one_server_gets_requests_in_the_order_in_which_they_were_sent(void)
{
    pair channel = open_pair(32);
    rr_client *other = another_client(&channel);
    for (unsigned lap = 0; lap < 20; lap++) {
        unsigned number[32], found;
        uint64_t ids[32];
        rr_request request;
        for (unsigned k = 0; k < 32; k++) {
            number[k] = lap * 32 + k;
            EXPECT(rr_client_send(k % 3 ? other : channel.client, &number[k], sizeof number[k], &ids[k]), 0);
        }
        for (unsigned k = 0; k < 32; k++) {
            EXPECT(rr_recv(channel.server, &found, sizeof found, &request), sizeof found);
            CHECK(found == number[k]);
            EXPECT(rr_reply(channel.server, request.id, &found, sizeof found), 0);
        }
        for (unsigned k = 32; k-- > 0;) {
            EXPECT(rr_client_get(k % 3 ? other : channel.client, ids[k], &found, sizeof found), sizeof found);
            CHECK(found == number[k]);
        }
    }
    rr_client_free(other);
    close_pair(&channel);
}

static void replies_may_be_sent_in_any_order(void)
{
    pair channel = open_pair(3);
    uint64_t first = send_text(channel.client, "first"), second = send_text(channel.client, "second");
    uint64_t first_taken = take_text(channel.server, "first"), second_taken = take_text(channel.server, "second");
    reply_text(channel.server, second_taken, "to the second");
    EXPECT(rr_client_get(channel.client, first, NULL, 0), -EAGAIN);
    collect_text(channel.client, second, "to the second");
    reply_text(channel.server, first_taken, "to the first");
    collect_text(channel.client, first, "to the first");
    close_pair(&channel);
}

static void each_client_gets_its_own_replies_and_the_server_knows_who_asked(void)
{
    pair channel = open_pair(4);
    rr_client *other = another_client(&channel);
    uint64_t id = send_text(channel.client, "mine"), others = send_text(other, "other's");
    char buffer[16];
    rr_request mine, its;
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, &mine), 4);
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, &its), 7);
    CHECK(mine.client != its.client);
    reply_text(channel.server, its.id, "for the other");
    reply_text(channel.server, mine.id, "for me");
    EXPECT(rr_client_get(channel.client, others, buffer, sizeof buffer), -ESTALE);
    collect_text(channel.client, id, "for me");
    collect_text(other, others, "for the other");
    rr_client_free(other);
    close_pair(&channel);
}

static void an_id_is_collected_once(void)
{
    pair channel = open_pair(1);
    char buffer[16];
    uint64_t id = send_text(channel.client, "once");
    reply_text(channel.server, take_text(channel.server, "once"), "once");
    collect_text(channel.client, id, "once");
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -ESTALE);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER), -ESTALE);
    EXPECT(rr_client_cancel(channel.client, id), -ESTALE);

    uint64_t next = send_text(channel.client, "next");
    CHECK(next != id);
    reply_text(channel.server, take_text(channel.server, "next"), "for the next");
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -ESTALE);
    EXPECT(rr_client_cancel(channel.client, id), -ESTALE);
    collect_text(channel.client, next, "for the next");
    close_pair(&channel);
}

static void an_id_is_replied_to_once(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    reply_text(channel.server, taken, "first");
    EXPECT(rr_reply(channel.server, taken, "second", 6), -ESTALE);
    EXPECT(rr_reply_error(channel.server, taken, 1, "third"), -ESTALE);
    collect_text(channel.client, id, "first");
    EXPECT(rr_reply(channel.server, taken, "fourth", 6), -ESTALE);
    CHECK(stats_of(rr_server_channel(channel.server)).stale_replies == 3);
    close_pair(&channel);
}

static void a_queued_request_that_was_cancelled_is_never_delivered(void)
{
    pair channel = open_pair(3);
    uint64_t first = send_text(channel.client, "first");
    uint64_t second = send_text(channel.client, "second");
    uint64_t third = send_text(channel.client, "third");
    EXPECT(rr_client_cancel(channel.client, second), 0);
    EXPECT(rr_client_cancel(channel.client, second), -ESTALE);
    EXPECT(rr_client_get(channel.client, second, NULL, 0), -ESTALE);
    EXPECT(rr_client_pending(channel.client), 2);
    reply_text(channel.server, take_text(channel.server, "first"), "1");
    reply_text(channel.server, take_text(channel.server, "third"), "3");
    expect_none_queued(channel.server);
    collect_text(channel.client, first, "1");
    collect_text(channel.client, third, "3");

    for (int k = 0; k < 1000; k++)
        EXPECT(rr_client_cancel(channel.client, send_text(channel.client, "never")), 0);
    expect_none_queued(channel.server);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_reply_that_is_there_is_not_cancelled(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "quick");
    reply_text(channel.server, take_text(channel.server, "quick"), "quicker");
    EXPECT(rr_client_cancel(channel.client, id), -EALREADY);
    EXPECT(rr_client_cancel(channel.client, id), -EALREADY);
    EXPECT(rr_client_pending(channel.client), 1);
    collect_text(channel.client, id, "quicker");
    close_pair(&channel);
}

static void after_cancelling_a_claimed_request_a_client_can_send_at_once(void)
{
    for (uint32_t slots = 1; slots <= 4; slots++) {
        pair channel = open_pair(slots);
        uint64_t given_up[4], taken[4], fresh[4], id;
        for (uint32_t k = 0; k < slots; k++) {
            given_up[k] = send_text(channel.client, "given up");
            taken[k] = take_text(channel.server, "given up");
        }
        for (uint32_t k = 0; k < slots; k++) {
            EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
            EXPECT(rr_client_cancel(channel.client, given_up[k]), 0);
            EXPECT(rr_client_get(channel.client, given_up[k], NULL, 0), -ESTALE);
            fresh[k] = send_text(channel.client, "new");
        }
        EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
        CHECK(stats_of(rr_client_channel(channel.client)).in_flight == slots);
        for (uint32_t k = 0; k < slots; k++) {
            EXPECT(rr_reply(channel.server, taken[k], "late", 4), -ESTALE);
            EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
            reply_text(channel.server, take_text(channel.server, "new"), "in time");
            collect_text(channel.client, fresh[k], "in time");
            fresh[k] = send_text(channel.client, "again");
            EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
        }
        CHECK(stats_of(rr_client_channel(channel.client)).in_flight == slots);
        close_pair(&channel);
    }
}

static void pending_counts_what_is_sent_and_not_collected_or_cancelled(void)
{
    pair channel = open_pair(4);
    EXPECT(rr_client_pending(channel.client), 0);
    uint64_t first = send_text(channel.client, "first"), second = send_text(channel.client, "second");
    EXPECT(rr_client_pending(channel.client), 2);
    uint64_t taken = take_text(channel.server, "first");
    EXPECT(rr_client_pending(channel.client), 2);
    reply_text(channel.server, taken, "reply");
    EXPECT(rr_client_pending(channel.client), 2);
    collect_text(channel.client, first, "reply");
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(rr_client_cancel(channel.client, second), 0);
    EXPECT(rr_client_pending(channel.client), 0);
    close_pair(&channel);
}

static void a_timeout_of_0_tries_once(void)
{
    pair channel = open_pair(1);
    char buffer[8];
    rr_request request;
    uint64_t id, refused;
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 0), -EAGAIN);
    EXPECT(rr_client_req(channel.client, "a", 1, buffer, sizeof buffer, 0), -EAGAIN);
    EXPECT(rr_client_pending(channel.client), 0);
    expect_none_queued(channel.server);

    EXPECT(rr_client_send_wait(channel.client, "b", 1, &id, 0), 0);
    EXPECT(rr_client_send_wait(channel.client, "c", 1, &refused, 0), -ENOBUFS);
    EXPECT(rr_client_req(channel.client, "d", 1, buffer, sizeof buffer, 0), -ENOBUFS);
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, 0), -EAGAIN);
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 0), 1);
    reply_text(channel.server, request.id, "B");
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, 0), 1);
    close_pair(&channel);
}

static void the_statistics_count_what_happened(void)
{
    pair channel = open_pair(2);
    uint64_t id = send_text(channel.client, "12345");
    uint64_t other = send_text(channel.client, "123");
    EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
    EXPECT(rr_client_cancel(channel.client, other), 0);
    reply_text(channel.server, take_text(channel.server, "12345"), "1234567");
    EXPECT(rr_client_get_wait(channel.client, send_text(channel.client, ""), NULL, 0, MS), -ETIMEDOUT);
    rr_stats stats = stats_of(rr_client_channel(channel.client));
    CHECK(stats.size == sizeof stats);
    CHECK(stats.slots == 2 && stats.free == 0 && stats.in_flight == 2 && stats.queued == 1);
    CHECK(stats.participants == 2 && stats.recoveries == 0 && stats.stale_replies == 0);
    CHECK(stats.requests == 3 && stats.request_bytes == 8);
    CHECK(stats.replies == 1 && stats.reply_bytes == 7);
    CHECK(stats.cancels == 1 && stats.full == 1 && stats.timeouts == 1);
    close_pair(&channel);
}

int main(void)
{
    RUN(as_many_requests_are_in_flight_as_there_are_slots);
    RUN(one_server_gets_requests_in_the_order_in_which_they_were_sent);
    RUN(replies_may_be_sent_in_any_order);
    RUN(each_client_gets_its_own_replies_and_the_server_knows_who_asked);
    RUN(an_id_is_collected_once);
    RUN(an_id_is_replied_to_once);
    RUN(a_queued_request_that_was_cancelled_is_never_delivered);
    RUN(a_reply_that_is_there_is_not_cancelled);
    RUN(after_cancelling_a_claimed_request_a_client_can_send_at_once);
    RUN(pending_counts_what_is_sent_and_not_collected_or_cancelled);
    RUN(a_timeout_of_0_tries_once);
    RUN(the_statistics_count_what_happened);
    return 0;
}
