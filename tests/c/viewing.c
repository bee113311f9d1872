/*
 * A reply read in place: it is what was sent, it stays as it is until it is released, and the release, or another
 * outcome, uses the id up and frees the slot.
 */
#include "in_place.h"

static void expect_unknown(rr_client *client, uint64_t id)
{
    rr_view view;
    EXPECT(rr_client_view(client, id, &view, NULL, within(0)), -ESTALE);
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), -ESTALE);
    EXPECT(rr_client_release(client, id), -ESTALE);
    EXPECT(rr_client_get(client, id, NULL, 0), -ESTALE);
    EXPECT(rr_client_cancel(client, id), -ESTALE);
}

static void expect_used_up(rr_client *client, uint64_t id)
{
    expect_unknown(client, id);
    EXPECT(rr_client_pending(client), 0);
}

static uint64_t ask(const pair *channel, const char *reply)
{
    uint64_t id = send_text(channel->client, "question");
    reply_text(channel->server, take_text(channel->server, "question"), reply);
    return id;
}

static void view_text(rr_client *client, uint64_t id, const char *text, int64_t timeout_ns)
{
    rr_view view;
    EXPECT(rr_client_view(client, id, &view, NULL, within(timeout_ns)), strlen(text));
    CHECK(view.id == id && view.length == strlen(text) && memcmp(view.data, text, strlen(text)) == 0);
}

static void replies_of_every_length_are_seen_as_they_were_sent(void)
{
    pair channel = open_odd_pair(1);
    for (unsigned k = 0; k < LENGTH(RESPONSE_LENGTHS) * LENGTH(ALIGNMENTS); k++) {
        size_t length = RESPONSE_LENGTHS[k / 2];
        uint32_t type = k % 3 ? 128 + k : 0, flags = ALIGNMENTS[k % 2] | (k % 3 == 1 ? RR_MSG_UTF8 : 0);
        unsigned char reply[RESPONSE_MAX];
        fill(reply, length, k);
        uint64_t id = send_text(channel.client, "question");
        uint64_t taken = take_text(channel.server, "question");
        EXPECT(reply_labelled(channel.server, taken, reply, length, type, flags), 0);

        rr_view view, again;
        EXPECT(rr_client_view(channel.client, id, &view, NULL, within(0)), length);
        expect_seen(&view, length, type, flags, k);
        CHECK(view.id == id && view.client == 0 && view.redeliveries == 0);
        EXPECT(rr_client_view(channel.client, id, &again, NULL, NULL), length);
        CHECK(again.data == view.data);
        EXPECT(rr_client_release(channel.client, id), 0);
        expect_used_up(channel.client, id);
    }
    close_pair(&channel);
}

static void what_is_seen_stays_until_it_is_released(void)
{
    for (size_t k = 0; k < LENGTH(RESPONSE_LENGTHS); k++) {
        pair channel = open_odd_pair(3);
        unsigned char reply[RESPONSE_MAX];
        fill(reply, sizeof reply, 7);
        uint64_t id = send_text(channel.client, "question");
        EXPECT(rr_reply(channel.server, take_text(channel.server, "question"), reply, RESPONSE_LENGTHS[k]), 0);
        rr_view view;
        EXPECT(rr_client_view(channel.client, id, &view, NULL, within(0)), RESPONSE_LENGTHS[k]);
        memset(reply, CANARY, sizeof reply);
        for (int round = 0; round < 40; round++) {
            uint64_t others[2], refused;
            for (int n = 0; n < 2; n++)
                others[n] = send_text(channel.client, "other");
            EXPECT(rr_client_send(channel.client, "", 0, &refused), -ENOBUFS);
            for (int n = 0; n < 2; n++)
                EXPECT(rr_reply(channel.server, take_text(channel.server, "other"), reply, sizeof reply), 0);
            for (int n = 0; n < 2; n++)
                EXPECT(rr_client_release(channel.client, others[n]), 0);
        }
        rr_server_free(channel.server);
        CHECK(is_filled(view.data, RESPONSE_LENGTHS[k], 7));
        EXPECT(rr_client_release(channel.client, id), 0);
        rr_client_free(channel.client);
    }
}

static void a_release_frees_the_slot_and_uses_the_id_up(void)
{
    pair channel = open_pair(1);
    uint64_t refused, id = ask(&channel, "reply");
    view_text(channel.client, id, "reply", 0);
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(rr_client_send(channel.client, "", 0, &refused), -ENOBUFS);
    EXPECT(rr_client_release(channel.client, id), 0);
    expect_used_up(channel.client, id);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_reply_may_be_released_unseen(void)
{
    pair channel = open_pair(1);
    for (int k = 0; k < 100; k++) {
        uint64_t id = ask(&channel, "reply");
        EXPECT(rr_client_release(channel.client, id), 0);
        expect_used_up(channel.client, id);
    }
    expect_works(&channel);
    close_pair(&channel);
}

static void before_the_reply_there_is_nothing_to_release(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_client_release(channel.client, id), -EAGAIN);
    uint64_t taken = take_text(channel.server, "question");
    EXPECT(rr_client_release(channel.client, id), -EAGAIN);
    EXPECT(rr_client_pending(channel.client), 1);
    reply_text(channel.server, taken, "reply");
    view_text(channel.client, id, "reply", 0);
    EXPECT(rr_client_release(channel.client, id), 0);
    close_pair(&channel);
}

static void what_was_seen_may_also_be_collected_but_not_cancelled(void)
{
    pair channel = open_pair(1);
    uint64_t id = ask(&channel, "reply");
    view_text(channel.client, id, "reply", 0);
    EXPECT(rr_client_cancel(channel.client, id), -EALREADY);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EOVERFLOW);
    view_text(channel.client, id, "reply", 0);
    collect_text(channel.client, id, "reply");
    expect_used_up(channel.client, id);
    close_pair(&channel);
}

static void without_a_reply_in_time_the_request_stays_pending(void)
{
    pair channel = open_pair(1);
    rr_view view;
    uint64_t id = send_text(channel.client, "question");
    EXPECT(rr_client_view(channel.client, id, &view, NULL, within(0)), -EAGAIN);
    int64_t begun = now();
    EXPECT(rr_client_view(channel.client, id, &view, NULL, within(30 * MS)), -ETIMEDOUT);
    int64_t took = now() - begun;
    CHECK(took >= 30 * MS && took < 10 * SECOND);
    EXPECT(rr_client_pending(channel.client), 1);
    reply_text(channel.server, take_text(channel.server, "question"), "reply");
    view_text(channel.client, id, "reply", 30 * MS);
    EXPECT(rr_client_release(channel.client, id), 0);
    close_pair(&channel);
}

/* What a thread does to a request while another waits to see its reply. */
typedef struct act {
    pair channel;
    uint64_t id;
} act;

static void reply_to_it(void *context)
{
    rr_server *server = ((act *)context)->channel.server;
    reply_text(server, take_text(server, "question"), "reply");
}

static void let_go_of_it(void *context)
{
    rr_server *server = ((act *)context)->channel.server;
    EXPECT(rr_dismiss(server, take_text(server, "question")), 0);
}

static void cancel_it(void *context)
{
    EXPECT(rr_client_cancel(((act *)context)->channel.client, ((act *)context)->id), 0);
}

static void clear_all(void *context)
{
    EXPECT(rr_channel_clear(rr_client_channel(((act *)context)->channel.client)), 1);
}

static void a_wait_ends_with_the_reply(void)
{
    act of = {open_pair(1), 0};
    deed replying;
    of.id = send_text(of.channel.client, "question");
    plan(&replying, rr_client_channel(of.channel.client), reply_to_it, &of);
    view_text(of.channel.client, of.id, "reply", FOREVER);
    done(&replying);
    EXPECT(rr_client_release(of.channel.client, of.id), 0);
    close_pair(&of.channel);
}

static void a_wait_ends_when_the_request_does(void)
{
    void (*const ends[])(void *) = {let_go_of_it, cancel_it, clear_all};
    act of = {open_pair(1), 0};
    for (size_t k = 0; k < LENGTH(ends); k++) {
        deed ending;
        rr_view view;
        of.id = send_text(of.channel.client, "question");
        plan(&ending, rr_client_channel(of.channel.client), ends[k], &of);
        EXPECT(rr_client_view(of.channel.client, of.id, &view, NULL, NULL), k == 0 ? -ENOMSG : -ESTALE);
        done(&ending);
        expect_used_up(of.channel.client, of.id);
        expect_works(&of.channel);
    }
    close_pair(&of.channel);
}

/* The other outcomes: how a server brings each about, and what the client finds. */
static void die_with_it(pair *channel)
{
    rr_server *next;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel->server)), NULL, &next, NULL), 0);
    take_text(channel->server, "question");
    rr_server_free(channel->server);
    channel->server = next;
}

static void fail_it(pair *channel)
{
    EXPECT(rr_reply_error(channel->server, take_text(channel->server, "question"), 42, "no such thing"), 0);
}

static void drop_it(pair *channel)
{
    EXPECT(rr_dismiss(channel->server, take_text(channel->server, "question")), 0);
}

static const struct {
    void (*end)(pair *);
    int code;
} OUTCOMES[] = {{die_with_it, -EOWNERDEAD}, {fail_it, -EREMOTEIO}, {drop_it, -ENOMSG}};

static void every_other_outcome_uses_the_id_up_and_frees_the_slot(void)
{
    for (size_t k = 0; k < LENGTH(OUTCOMES) * 2; k++) {
        pair channel = open_pair(1);
        rr_view view;
        uint64_t id = send_text(channel.client, "question");
        OUTCOMES[k / 2].end(&channel);
        EXPECT(rr_client_view(channel.client, id, &view, NULL, within(k % 2 ? FOREVER : 0)), OUTCOMES[k / 2].code);
        expect_used_up(channel.client, id);
        expect_works(&channel);
        close_pair(&channel);
    }
}

static void every_other_outcome_may_be_released_unseen(void)
{
    for (size_t k = 0; k < LENGTH(OUTCOMES); k++) {
        pair channel = open_pair(1);
        uint64_t id = send_text(channel.client, "question");
        OUTCOMES[k].end(&channel);
        EXPECT(rr_client_release(channel.client, id), 0);
        expect_used_up(channel.client, id);
        expect_works(&channel);
        close_pair(&channel);
    }
}

static void an_error_reply_that_was_met_can_be_asked_for(void)
{
    pair channel = open_pair(1);
    rr_view view;
    char text[32];
    rr_result result = result_with(text, sizeof text);
    uint64_t id = send_text(channel.client, "question");
    fail_it(&channel);
    EXPECT(rr_client_view(channel.client, id, &view, &result, within(0)), -EREMOTEIO);
    CHECK(result.code == 42 && result.text_length == 13 && strcmp(text, "no such thing") == 0);
    CHECK(result.flags == RR_MSG_ERROR && result.id == 0);
    close_pair(&channel);
}

static void a_reply_is_seen_by_its_own_handle_only(void)
{
    pair channel = open_pair(1);
    rr_client *other = another_client(&channel);
    uint64_t id = ask(&channel, "reply");
    const uint64_t unknown[] = {0, 1, id ^ 1, id + 0x10000, UINT64_MAX};
    expect_unknown(other, id);
    for (size_t k = 0; k < LENGTH(unknown); k++)
        expect_unknown(channel.client, unknown[k]);
    view_text(channel.client, id, "reply", 0);
    EXPECT(rr_client_release(channel.client, id), 0);
    rr_client_free(other);
    close_pair(&channel);
}

static void a_null_pointer_is_refused(void)
{
    pair channel = open_pair(1);
    rr_view view;
    uint64_t id = ask(&channel, "reply");
    EXPECT(rr_client_view(NULL, id, &view, NULL, within(0)), -EINVAL);
    EXPECT(rr_client_view(channel.client, id, NULL, NULL, within(0)), -EINVAL);
    EXPECT(rr_client_release(NULL, id), -EINVAL);
    view_text(channel.client, id, "reply", 0);
    close_pair(&channel);
}

static void a_stopped_handle_sees_and_releases_nothing(void)
{
    pair channel = open_pair(1);
    rr_view view;
    uint64_t id = ask(&channel, "reply");
    EXPECT(rr_client_stop(channel.client), 0);
    EXPECT(rr_client_view(channel.client, id, &view, NULL, NULL), -ESHUTDOWN);
    EXPECT(rr_client_release(channel.client, id), -ESHUTDOWN);
    EXPECT(rr_client_pending(channel.client), 1);
    close_pair(&channel);
}

int main(void)
{
    RUN(replies_of_every_length_are_seen_as_they_were_sent);
    RUN(what_is_seen_stays_until_it_is_released);
    RUN(a_release_frees_the_slot_and_uses_the_id_up);
    RUN(a_reply_may_be_released_unseen);
    RUN(before_the_reply_there_is_nothing_to_release);
    RUN(what_was_seen_may_also_be_collected_but_not_cancelled);
    RUN(without_a_reply_in_time_the_request_stays_pending);
    RUN(a_wait_ends_with_the_reply);
    RUN(a_wait_ends_when_the_request_does);
    RUN(every_other_outcome_uses_the_id_up_and_frees_the_slot);
    RUN(every_other_outcome_may_be_released_unseen);
    RUN(an_error_reply_that_was_met_can_be_asked_for);
    RUN(a_reply_is_seen_by_its_own_handle_only);
    RUN(a_null_pointer_is_refused);
    RUN(a_stopped_handle_sees_and_releases_nothing);
    return 0;
}
