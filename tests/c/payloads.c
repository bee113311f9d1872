/*
 * Payloads arrive as they were sent, of every length both ways, an empty one too; and one that does not fit is refused
 * and stays where it was.
 */
#include "fixture.h"

#define MESSAGE_MAX 4096
#define CANARY 0xC5

static void fill(unsigned char *bytes, size_t length, unsigned seed)
{
    for (size_t k = 0; k < length; k++)
        bytes[k] = (unsigned char)(seed + 31 * k + k / 251);
}

/* That a call which said `length` wrote so much and nothing behind it. */
static void expect_filled(const unsigned char *buffer, size_t room, size_t length, unsigned seed)
{
    unsigned char wanted[MESSAGE_MAX];
    fill(wanted, length, seed);
    CHECK(memcmp(buffer, wanted, length) == 0);
    for (size_t k = length; k < room; k++)
        CHECK(buffer[k] == CANARY);
}

/* Around the 104 bytes that stand in a slot's line, and the ends. */
static const size_t LENGTHS[] = {0, 1, 39, 40, 41, 103, 104, 105, 127, 128, 129, 1000, 4095, MESSAGE_MAX};

static void payloads_of_every_length_arrive_as_they_were_sent(void)
{
    pair channel = open_pair(4);
    for (size_t k = 0; k < LENGTH(LENGTHS) * LENGTH(LENGTHS); k++) {
        size_t asked = LENGTHS[k % LENGTH(LENGTHS)], answered = LENGTHS[k / LENGTH(LENGTHS)];
        unsigned char sent[MESSAGE_MAX], got[MESSAGE_MAX + 8];
        uint64_t id;
        rr_request request;
        fill(sent, asked, 1);
        EXPECT(rr_client_send(channel.client, sent, asked, &id), 0);
        memset(got, CANARY, sizeof got);
        EXPECT(rr_recv(channel.server, got, sizeof got, &request), asked);
        expect_filled(got, sizeof got, asked, 1);
        CHECK(request.length == asked && request.msg_type == 0 && request.flags == 0 && request.redeliveries == 0);

        fill(sent, answered, 2);
        EXPECT(rr_reply(channel.server, request.id, sent, answered), 0);
        memset(got, CANARY, sizeof got);
        EXPECT(rr_client_get(channel.client, id, got, sizeof got), answered);
        expect_filled(got, sizeof got, answered, 2);
    }
    close_pair(&channel);
}

static void the_same_holds_for_calls_that_wait(void)
{
    pair channel = open_pair(4);
    pid_t child = fork_child();
    if (child == 0) {
        serve_echo(channel.server, (int)LENGTH(LENGTHS));
        child_ends();
    }
    for (size_t k = 0; k < LENGTH(LENGTHS); k++) {
        unsigned char sent[MESSAGE_MAX], got[MESSAGE_MAX + 8];
        fill(sent, LENGTHS[k], 3);
        memset(got, CANARY, sizeof got);
        EXPECT(rr_client_req(channel.client, sent, LENGTHS[k], got, sizeof got, FOREVER), LENGTHS[k]);
        expect_filled(got, sizeof got, LENGTHS[k], 3);
    }
    expect_ended_well(child);
    close_pair(&channel);
}

static void an_empty_payload_is_not_the_absence_of_one(void)
{
    pair channel = open_pair(2);
    uint64_t id;
    rr_request request;
    EXPECT(rr_recv(channel.server, NULL, 0, &request), -EAGAIN);
    EXPECT(rr_client_send(channel.client, NULL, 0, &id), 0);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EAGAIN);
    EXPECT(rr_recv(channel.server, NULL, 0, &request), 0);
    EXPECT(rr_recv(channel.server, NULL, 0, &request), -EAGAIN);
    EXPECT(rr_reply(channel.server, request.id, NULL, 0), 0);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), 0);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -ESTALE);
    close_pair(&channel);
}

static void a_request_longer_than_the_channel_allows_is_not_sent(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.request_max = 100;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    char bytes[101] = "";
    uint64_t id = 77;
    EXPECT(rr_client_send(channel.client, bytes, 101, &id), -EMSGSIZE);
    EXPECT(rr_client_send_wait(channel.client, bytes, 101, &id, FOREVER), -EMSGSIZE);
    EXPECT(rr_client_req(channel.client, bytes, 101, NULL, 0, FOREVER), -EMSGSIZE);
    EXPECT(rr_client_pending(channel.client), 0);
    expect_none_queued(channel.server);
    EXPECT(rr_client_send(channel.client, bytes, 100, &id), 0);
    close_pair(&channel);
}

static void a_request_longer_than_the_buffer_stays_queued_and_its_length_is_told(void)
{
    pair channel = open_pair(2);
    char bytes[200] = "", buffer[200];
    uint64_t id;
    rr_request told, taken;
    EXPECT(rr_client_send(channel.client, bytes, sizeof bytes, &id), 0);
    send_text(channel.client, "second");
    for (size_t room = 0; room < sizeof bytes; room += 199) {
        memset(&told, 0, sizeof told);
        EXPECT(rr_recv(channel.server, room ? buffer : NULL, room, &told), -EOVERFLOW);
        CHECK(told.length == sizeof bytes && told.id != 0);
        EXPECT(rr_recv_wait(channel.server, buffer, room, &told, FOREVER), -EOVERFLOW);
        EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 2);
    }
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, &taken), sizeof bytes);
    CHECK(taken.id == told.id);
    reply_text(channel.server, taken.id, "reply");
    collect_text(channel.client, id, "reply");
    take_text(channel.server, "second");
    close_pair(&channel);
}

static void a_reply_longer_than_the_channel_allows_leaves_the_request_waiting(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.response_max = 10;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    EXPECT(rr_reply(channel.server, taken, "eleven byte", 11), -EMSGSIZE);
    char text[106];
    memset(text, 'e', sizeof text - 1);
    text[105] = 0;
    EXPECT(rr_reply_error(channel.server, taken, 1, text), -EMSGSIZE);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EAGAIN);
    reply_text(channel.server, taken, "ten bytes!");
    collect_text(channel.client, id, "ten bytes!");
    close_pair(&channel);
}

static void a_reply_longer_than_the_buffer_stays(void)
{
    pair channel = open_pair(2);
    char buffer[8];
    uint64_t id = send_text(channel.client, "question");
    reply_text(channel.server, take_text(channel.server, "question"), "8 bytes.");
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EOVERFLOW);
    EXPECT(rr_client_get(channel.client, id, buffer, 7), -EOVERFLOW);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, 7, FOREVER), -EOVERFLOW);
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(rr_client_get(channel.client, id, buffer, 8), 8);
    CHECK(memcmp(buffer, "8 bytes.", 8) == 0);
    close_pair(&channel);
}

static void a_reply_longer_than_the_buffer_of_a_whole_request_is_dropped(void)
{
    pair channel = open_pair(1);
    pid_t child = fork_child();
    if (child == 0) {
        serve_echo(channel.server, 2);
        child_ends();
    }
    char buffer[8];
    EXPECT(rr_client_req(channel.client, "nine byte", 9, buffer, 8, FOREVER), -EOVERFLOW);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_client_req(channel.client, "8 bytes.", 8, buffer, 8, FOREVER), 8);
    expect_ended_well(child);
    close_pair(&channel);
}

int main(void)
{
    RUN(payloads_of_every_length_arrive_as_they_were_sent);
    RUN(the_same_holds_for_calls_that_wait);
    RUN(an_empty_payload_is_not_the_absence_of_one);
    RUN(a_request_longer_than_the_channel_allows_is_not_sent);
    RUN(a_request_longer_than_the_buffer_stays_queued_and_its_length_is_told);
    RUN(a_reply_longer_than_the_channel_allows_leaves_the_request_waiting);
    RUN(a_reply_longer_than_the_buffer_stays);
    RUN(a_reply_longer_than_the_buffer_of_a_whole_request_is_dropped);
    return 0;
}
