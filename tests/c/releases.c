/*
 * A server that lets go of a request by rr_dismiss tells its client so at once, and once.
 */
#include "fixture.h"

static void release_next(void *server)
{
    EXPECT(rr_dismiss((rr_server *)server, take_any((rr_server *)server)), 0);
}

static void expect_collected(rr_client *client, uint64_t id)
{
    char buffer[8];
    rr_view view;
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), -ESTALE);
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), -ESTALE);
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), -ESTALE);
    EXPECT(rr_client_wait_any(client, &id, 1, NULL), -ESTALE);
    EXPECT(rr_client_cancel(client, id), -ESTALE);
    EXPECT(rr_client_release(client, id), -ESTALE);
    EXPECT(rr_client_pending(client), 0);
}

/* ---- how its client asks ---- */

static int64_t by_get(rr_client *client, uint64_t id)
{
    char buffer[8];
    return rr_client_get(client, id, buffer, sizeof buffer);
}

static int64_t by_get_without_room(rr_client *client, uint64_t id)
{
    return rr_client_get(client, id, NULL, 0);
}

static int64_t by_get_wait(rr_client *client, uint64_t id)
{
    char buffer[8];
    return rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER);
}

static int64_t by_view(rr_client *client, uint64_t id)
{
    rr_view view;
    return rr_client_view(client, id, &view, NULL, NULL);
}

static int64_t by_wait_any(rr_client *client, uint64_t id)
{
    EXPECT(rr_client_wait_any(client, &id, 1, NULL), 0);
    EXPECT(rr_client_pending(client), 1);
    return by_get(client, id);
}

static int64_t (*const WAITS[])(rr_client *, uint64_t) = {by_get_wait, by_view, by_wait_any};
static int64_t (*const ASKS[])(rr_client *, uint64_t) = {
    by_get, by_get_without_room, by_get_wait, by_view, by_wait_any,
};

static void a_client_that_waits_gets_enomsg_once(void)
{
    pair channel = open_pair(1);
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        deed releasing;
        uint64_t id = send_text(channel.client, "question");
        plan(&releasing, rr_client_channel(channel.client), release_next, channel.server);
        EXPECT(WAITS[k](channel.client, id), -ENOMSG);
        CHECK(now() - done(&releasing) < 10 * SECOND);
        expect_collected(channel.client, id);
        expect_works(&channel);
    }
    close_pair(&channel);
}

static void a_whole_request_gets_enomsg_and_leaves_nothing(void)
{
    pair channel = open_pair(1);
    for (int k = 0; k < 3; k++) {
        char buffer[8];
        deed releasing;
        plan(&releasing, rr_client_channel(channel.client), release_next, channel.server);
        EXPECT(rr_client_req(channel.client, "", 0, buffer, sizeof buffer, FOREVER), -ENOMSG);
        CHECK(now() - done(&releasing) < 10 * SECOND);
        EXPECT(rr_client_pending(channel.client), 0);
        CHECK(stats_of(rr_client_channel(channel.client)).in_flight == 0);
    }
    expect_works(&channel);
    close_pair(&channel);
}

static void a_client_that_asks_later_gets_enomsg_once(void)
{
    pair channel = open_pair(1);
    for (size_t k = 0; k < LENGTH(ASKS); k++) {
        uint64_t id = send_text(channel.client, "question"), next;
        EXPECT(rr_dismiss(channel.server, take_text(channel.server, "question")), 0);
        EXPECT(rr_client_pending(channel.client), 1);
        EXPECT(rr_client_cancel(channel.client, id), -EALREADY);
        EXPECT(rr_client_send(channel.client, "no", 2, &next), -ENOBUFS);
        EXPECT(ASKS[k](channel.client, id), -ENOMSG);
        expect_collected(channel.client, id);
        expect_works(&channel);
    }
    close_pair(&channel);
}

static void a_dismissal_is_no_reply_and_no_error_reply(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    release_next(channel.server);
    char text[8] = "unused";
    rr_result result = result_with(text, sizeof text);
    EXPECT(rr_client_get_msg(channel.client, id, NULL, 0, &result, NULL), -ENOMSG);
    CHECK(result.id == 0 && result.flags == 0 && result.code == 0 && strcmp(text, "unused") == 0);
    CHECK(stats_of(rr_client_channel(channel.client)).replies == 0);
    close_pair(&channel);
}

static void one_who_is_let_go_of_does_not_disturb_another(void)
{
    pair channel = open_pair(3);
    uint64_t first = send_text(channel.client, "first"), second = send_text(channel.client, "second");
    uint64_t third = send_text(channel.client, "third");
    take_text(channel.server, "first");
    take_text(channel.server, "second");
    EXPECT(rr_dismiss(channel.server, second), 0);
    reply_text(channel.server, first, "one");
    EXPECT(by_get(channel.client, second), -ENOMSG);
    collect_text(channel.client, first, "one");
    reply_text(channel.server, take_text(channel.server, "third"), "three");
    collect_text(channel.client, third, "three");
    close_pair(&channel);
}

/* ---- the server's side ---- */

static void expect_not_held(rr_server *server, uint64_t id)
{
    void *data;
    size_t room;
    EXPECT(rr_dismiss(server, id), -ESTALE);
    EXPECT(rr_reply(server, id, "late", 4), -ESTALE);
    EXPECT(rr_reply_error(server, id, 1, "late"), -ESTALE);
    EXPECT(loan_reply(server, id, &data, &room), -ESTALE);
}

static void a_request_is_let_go_of_once(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_dismiss(channel.server, take_text(channel.server, "question")), 0);
    expect_not_held(channel.server, id);
    EXPECT(by_get(channel.client, id), -ENOMSG);
    expect_not_held(channel.server, id);
    close_pair(&channel);
}

static void what_was_replied_to_is_not_let_go_of(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    reply_text(channel.server, take_text(channel.server, "question"), "reply");
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);
    collect_text(channel.client, id, "reply");
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);

    id = send_text(channel.client, "question");
    EXPECT(rr_reply_error(channel.server, take_text(channel.server, "question"), 1, "text"), 0);
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);
    EXPECT(by_get(channel.client, id), -EREMOTEIO);
    close_pair(&channel);
}

static void what_its_client_gave_up_is_stale_and_its_slot_free(void)
{
    pair channel = open_pair(1);
    rr_channel *handle = rr_server_channel(channel.server);
    for (int k = 0; k < 20; k++) {
        uint64_t id = send_text(channel.client, "question");
        take_text(channel.server, "question");
        EXPECT(rr_client_cancel(channel.client, id), 0);
        EXPECT(rr_dismiss(channel.server, id), -ESTALE);
        CHECK(stats_of(handle).free == 1 && stats_of(handle).in_flight == 0);
    }
    rr_client *leaving = another_client(&channel);
    send_text(leaving, "question");
    uint64_t id = take_text(channel.server, "question");
    rr_client_free(leaving);
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);
    expect_works(&channel);
    close_pair(&channel);
}

static void what_was_not_taken_by_this_handle_is_stale_and_stays_as_it_is(void)
{
    pair channel = open_pair(2);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    EXPECT(rr_dismiss(channel.server, 0), -ESTALE);
    EXPECT(rr_dismiss(channel.server, UINT64_MAX), -ESTALE);
    uint64_t held = send_text(channel.client, "held"), queued = send_text(channel.client, "queued");
    take_text(channel.server, "held");
    EXPECT(rr_dismiss(other, held), -ESTALE);
    EXPECT(rr_dismiss(other, queued), -ESTALE);
    EXPECT(rr_dismiss(channel.server, queued), -ESTALE);
    reply_text(channel.server, held, "reply");
    collect_text(channel.client, held, "reply");
    reply_text(other, take_text(other, "queued"), "reply");
    collect_text(channel.client, queued, "reply");
    rr_server_free(other);
    close_pair(&channel);
}

static void what_was_taken_in_place_or_lent_room_is_let_go_of_too(void)
{
    pair channel = open_pair(2);
    rr_view view;
    void *data;
    size_t room;
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_recv_view(channel.server, &view, NULL), 8);
    EXPECT(loan_reply(channel.server, view.id, &data, &room), 0);
    EXPECT(rr_dismiss(channel.server, view.id), 0);
    EXPECT(commit_reply(channel.server, view.id, 1, 0, 0), -ESTALE);
    EXPECT(by_get(channel.client, id), -ENOMSG);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_stopped_or_no_handle_lets_go_of_nothing(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    take_text(channel.server, "question");
    EXPECT(rr_dismiss(NULL, id), -EINVAL);
    EXPECT(rr_server_stop(channel.server), 0);
    EXPECT(rr_dismiss(channel.server, id), -ESHUTDOWN);
    EXPECT(by_get(channel.client, id), -EAGAIN);
    close_pair(&channel);
}

static void what_a_client_waits_for_is_dismissed_and_not_released(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_release(channel.server, id), -ESTALE);
    CHECK(take_text(channel.server, "question") == id);
    EXPECT(rr_release(channel.server, id), -EINVAL);
    EXPECT(by_get(channel.client, id), -EAGAIN);
    reply_text(channel.server, id, "answer");
    EXPECT(rr_release(channel.server, id), -ESTALE);
    collect_text(channel.client, id, "answer");
    EXPECT(rr_release(NULL, id), -EINVAL);
    close_pair(&channel);
}

/* Its slot comes free, as by any other answer. */
static void what_its_client_gave_up_can_be_released(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "given up");
    take_text(channel.server, "given up");
    EXPECT(rr_client_cancel(channel.client, id), 0);
    EXPECT(rr_release(channel.server, id), -ESTALE);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_one_way_message_is_dismissed_or_released_once(void)
{
    pair channel = open_pair(1);
    for (int dismisses = 0; dismisses < 2; dismisses++) {
        EXPECT(rr_client_post(channel.client, "one way", 7, 0), 0);
        uint64_t id = take_text(channel.server, "one way");
        EXPECT(dismisses ? rr_dismiss(channel.server, id) : rr_release(channel.server, id), 0);
        EXPECT(rr_release(channel.server, id), -ESTALE);
        EXPECT(rr_dismiss(channel.server, id), -ESTALE);
        expect_works(&channel);
    }
    close_pair(&channel);
}

int main(void)
{
    RUN(a_client_that_waits_gets_enomsg_once);
    RUN(a_whole_request_gets_enomsg_and_leaves_nothing);
    RUN(a_client_that_asks_later_gets_enomsg_once);
    RUN(a_dismissal_is_no_reply_and_no_error_reply);
    RUN(one_who_is_let_go_of_does_not_disturb_another);
    RUN(a_request_is_let_go_of_once);
    RUN(what_was_replied_to_is_not_let_go_of);
    RUN(what_its_client_gave_up_is_stale_and_its_slot_free);
    RUN(what_was_not_taken_by_this_handle_is_stale_and_stays_as_it_is);
    RUN(what_was_taken_in_place_or_lent_room_is_let_go_of_too);
    RUN(a_stopped_or_no_handle_lets_go_of_nothing);
    RUN(what_a_client_waits_for_is_dismissed_and_not_released);
    RUN(what_its_client_gave_up_can_be_released);
    RUN(a_one_way_message_is_dismissed_or_released_once);
    return 0;
}
