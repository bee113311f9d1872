/*
 * What a channel tells about itself without a look at every slot: what is queued and whether anything is; and what its
 * creator said: a word for all who attach, and that payloads have no bytes.
 */
#include "fixture.h"

static void what_is_queued_is_counted_by_who_would_be_found(void)
{
    pair channel = open_pair(200);
    const rr_channel *of_client = rr_client_channel(channel.client), *of_server = rr_server_channel(channel.server);
    EXPECT(rr_channel_queued(of_client), 0);
    EXPECT(rr_channel_is_empty(of_client), 1);
    uint64_t ids[5];
    for (int k = 0; k < 5; k++)
        ids[k] = send_text(channel.client, "question");
    EXPECT(rr_client_post(channel.client, "message", 7, 0), 0);
    EXPECT(rr_channel_queued(of_server), 6);
    EXPECT(rr_channel_is_empty(of_server), 0);
    EXPECT(rr_client_cancel(channel.client, ids[2]), 0);
    CHECK(take_text(channel.server, "question") == ids[0]);
    EXPECT(rr_channel_queued(of_client), 4);
    EXPECT(rr_channel_queued(of_server), 4);
    CHECK(stats_of(rr_server_channel(channel.server)).queued == 4);
    EXPECT(rr_channel_clear(rr_server_channel(channel.server)), 5);
    EXPECT(rr_channel_queued(of_client), 0);
    EXPECT(rr_channel_is_empty(of_server), 1);
    close_pair(&channel);
}

static void many_are_counted_however_often_the_ring_went_round(void)
{
    pair channel = open_pair(5000);
    const rr_channel *of_client = rr_client_channel(channel.client);
    for (int round = 0; round < 5; round++) {
        for (int k = 0; k < 5000; k++)
            send_text(channel.client, "q");
        EXPECT(rr_channel_queued(of_client), 5000);
        EXPECT(rr_channel_clear(rr_server_channel(channel.server)), 5000);
    }
    EXPECT(rr_channel_is_empty(of_client), 1);
    close_pair(&channel);
}

static void all_who_attach_read_the_creators_word(void)
{
    rr_options options = with_slots(1);
    options.user = UINT64_C(0x0123456789ABCDEF);
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    options.user = 7;
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    CHECK(rr_channel_user(rr_client_channel(channel.client)) == UINT64_C(0x0123456789ABCDEF));
    CHECK(rr_channel_user(rr_server_channel(channel.server)) == UINT64_C(0x0123456789ABCDEF));
    close_pair(&channel);
    channel = open_pair(1);
    CHECK(rr_channel_user(rr_client_channel(channel.client)) == 0);
    close_pair(&channel);
}

static void payloads_may_have_no_bytes(void)
{
    rr_options options = with_slots(2);
    options.response_max = options.request_max = RR_LENGTH_NONE;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    EXPECT(rr_channel_request_max(rr_client_channel(channel.client)), 0);
    EXPECT(rr_channel_response_max(rr_client_channel(channel.client)), 0);
    uint64_t id = send_text(channel.client, "");
    EXPECT(rr_client_send(channel.client, "x", 1, &id), -EMSGSIZE);
    uint64_t taken = take_text(channel.server, "");
    EXPECT(rr_reply(channel.server, taken, "x", 1), -EMSGSIZE);
    reply_text(channel.server, taken, "");
    collect_text(channel.client, taken, "");
    id = send_text(channel.client, "");
    EXPECT(rr_reply_error(channel.server, take_text(channel.server, ""), 1, "errors have a text all the same"), 0);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EREMOTEIO);
    close_pair(&channel);
    options.kind = RR_KIND_INT;
    rr_server *none = NULL;
    EXPECT(rr_server_new(NULL, &options, &none, NULL), -EINVAL);
}

int main(void)
{
    RUN(what_is_queued_is_counted_by_who_would_be_found);
    RUN(many_are_counted_however_often_the_ring_went_round);
    RUN(all_who_attach_read_the_creators_word);
    RUN(payloads_may_have_no_bytes);
    return 0;
}
