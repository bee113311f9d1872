/*
 * A message may say what kind it is and carry flags: both arrive, both ways, by every way of receiving, and what no
 * sender may say is refused and not sent.
 */
#include "fixture.h"

#define LONGEST 1000

/* What a receiver sees of a message. */
typedef struct seen {
    uint64_t id;
    uint64_t length;
    uint32_t type, flags;
    char bytes[LONGEST];
} seen;

static void see_request(seen *at, const rr_request *request)
{
    at->id = request->id;
    at->length = request->length;
    at->type = request->msg_type;
    at->flags = request->flags;
}

static void see_view(seen *at, const rr_view *view)
{
    CHECK(view->data != NULL);
    CHECK(view->length <= LONGEST);
    CHECK(view->flags & RR_MSG_END_ALIGNED || (uintptr_t)view->data % 8 == 0);
    at->id = view->id;
    at->length = view->length;
    at->type = view->msg_type;
    at->flags = view->flags;
    memcpy(at->bytes, view->data, view->length);
}

static void by_recv(rr_server *server, seen *at)
{
    rr_request request;
    int64_t length = rr_recv(server, at->bytes, sizeof at->bytes, &request);
    EXPECT(length, request.length);
    see_request(at, &request);
}

static void by_recv_wait(rr_server *server, seen *at)
{
    rr_request request;
    int64_t length = rr_recv_wait(server, at->bytes, sizeof at->bytes, &request, FOREVER);
    EXPECT(length, request.length);
    see_request(at, &request);
}

static void by_recv_view(rr_server *server, seen *at)
{
    rr_view view;
    int64_t length = rr_recv_view(server, &view, NULL);
    EXPECT(length, view.length);
    see_view(at, &view);
}

static void by_recv_batch(rr_server *server, seen *at)
{
    rr_view views[2];
    EXPECT(rr_recv_batch(server, views, sizeof(rr_view), 2, NULL), 1);
    see_view(at, views);
}

static void by_drain(rr_server *server, seen *at)
{
    rr_view views[2];
    EXPECT(rr_drain(server, views, sizeof(rr_view), 2), 1);
    see_view(at, views);
}

static void (*const RECEIVERS[])(rr_server *, seen *) = {by_recv, by_recv_wait, by_recv_view, by_recv_batch, by_drain};

static const uint32_t TYPES[] = {0, 128, 129, UINT32_MAX};
static const uint32_t SENDERS_FLAGS[] = {0, RR_MSG_UTF8, RR_MSG_END_ALIGNED, RR_MSG_UTF8 | RR_MSG_END_ALIGNED};
/* Either side of what rides in the lines, and the ends. */
static const size_t LENGTHS[] = {0, 1, 7, 104, 105, LONGEST};

/* Every combination of the three. */
#define LABELS (LENGTH(TYPES) * LENGTH(SENDERS_FLAGS) * LENGTH(LENGTHS))

typedef struct message {
    uint32_t type, flags;
    size_t length;
    char bytes[LONGEST];
} message;

static message message_at(size_t k)
{
    message made;
    made.type = TYPES[k % LENGTH(TYPES)];
    made.flags = SENDERS_FLAGS[k / LENGTH(TYPES) % LENGTH(SENDERS_FLAGS)];
    made.length = LENGTHS[k / LENGTH(TYPES) / LENGTH(SENDERS_FLAGS)];
    for (size_t at = 0; at < LONGEST; at++)
        made.bytes[at] = (char)(k * 11 + at * 7);
    return made;
}

static void expect_seen(const seen *found, const message *sent)
{
    CHECK(found->type == sent->type);
    CHECK(found->flags == sent->flags);
    EXPECT(found->length, sent->length);
    CHECK(memcmp(found->bytes, sent->bytes, sent->length) == 0);
}

static pair open_channel(uint32_t slots)
{
    pair opened = {NULL, NULL};
    rr_options options = with_slots(slots);
    options.request_max = options.response_max = LONGEST;
    EXPECT(rr_server_new(NULL, &options, &opened.server, NULL), 0);
    opened.client = another_client(&opened);
    return opened;
}

static void a_request_arrives_with_type_and_flags_by_every_way_of_taking_it(void)
{
    pair channel = open_channel(1);
    for (size_t way = 0; way < LENGTH(RECEIVERS); way++) {
        for (size_t k = 0; k < LABELS; k++) {
            message sent = message_at(k);
            seen found;
            uint64_t id;
            EXPECT(send_labelled(channel.client, sent.bytes, sent.length, sent.type, sent.flags, &id, FOREVER),
                   0);
            RECEIVERS[way](channel.server, &found);
            CHECK(found.id == id);
            expect_seen(&found, &sent);
            reply_text(channel.server, id, "reply");
            collect_text(channel.client, id, "reply");
        }
    }
    close_pair(&channel);
}

static void several_requests_of_one_batch_keep_their_own(void)
{
    pair channel = open_channel(LABELS);
    uint64_t ids[LABELS];
    rr_view views[LABELS];
    for (size_t k = 0; k < LABELS; k++) {
        message sent = message_at(k);
        EXPECT(send_labelled(channel.client, sent.bytes, sent.length, sent.type, sent.flags, &ids[k], 0), 0);
    }
    EXPECT(rr_recv_batch(channel.server, views, sizeof(rr_view), LABELS, NULL), LABELS);
    for (size_t k = 0; k < LABELS; k++) {
        message sent = message_at(k);
        seen found;
        see_view(&found, &views[k]);
        CHECK(found.id == ids[k]);
        expect_seen(&found, &sent);
    }
    close_pair(&channel);
}

static uint64_t ask(const pair *channel)
{
    uint64_t id = send_text(channel->client, "question");
    take_text(channel->server, "question");
    return id;
}

static void a_reply_arrives_with_type_and_flags(void)
{
    pair channel = open_channel(1);
    for (size_t k = 0; k < LABELS; k++) {
        message sent = message_at(k);
        seen found;
        rr_view view;
        uint64_t id = ask(&channel);
        EXPECT(reply_labelled(channel.server, id, sent.bytes, sent.length, sent.type, sent.flags), 0);
        EXPECT(rr_client_view(channel.client, id, &view, NULL, NULL), sent.length);
        see_view(&found, &view);
        CHECK(found.id == id);
        CHECK(view.client == 0 && view.redeliveries == 0);
        expect_seen(&found, &sent);
        EXPECT(rr_client_release(channel.client, id), 0);
    }
    close_pair(&channel);
}

static void who_does_not_ask_for_type_and_flags_gets_the_same_reply(void)
{
    pair channel = open_channel(2);
    for (size_t k = 0; k < LABELS; k++) {
        message sent = message_at(k);
        char buffer[LONGEST];
        uint64_t ids[] = {ask(&channel), ask(&channel)};
        for (int reply = 0; reply < 2; reply++)
            EXPECT(reply_labelled(channel.server, ids[reply], sent.bytes, sent.length, sent.type, sent.flags), 0);
        EXPECT(rr_client_get(channel.client, ids[0], buffer, sizeof buffer), sent.length);
        CHECK(memcmp(buffer, sent.bytes, sent.length) == 0);
        EXPECT(rr_client_get_wait(channel.client, ids[1], buffer, sizeof buffer, FOREVER), sent.length);
        CHECK(memcmp(buffer, sent.bytes, sent.length) == 0);
    }
    close_pair(&channel);
}

static void a_whole_request_gets_a_labelled_reply(void)
{
    pair channel = open_channel(2);
    pid_t child = fork_child();
    if (child == 0) {
        for (size_t k = 0; k < LABELS; k++) {
            message sent = message_at(k);
            uint64_t id = take_any(channel.server);
            EXPECT(reply_labelled(channel.server, id, sent.bytes, sent.length, sent.type, sent.flags), 0);
        }
        child_ends();
    }
    for (size_t k = 0; k < LABELS; k++) {
        message sent = message_at(k);
        char buffer[LONGEST];
        EXPECT(rr_client_req(channel.client, "", 0, buffer, sizeof buffer, FOREVER), sent.length);
        CHECK(memcmp(buffer, sent.bytes, sent.length) == 0);
    }
    expect_ended_well(child);
    close_pair(&channel);
}

/* ---- what no sender may say ---- */

static const struct label {
    uint32_t type, flags;
} FORBIDDEN[] = {
    {1, 0}, {2, 0}, {64, 0}, {127, 0}, {127, RR_MSG_UTF8}, {0, RR_MSG_ONE_WAY}, {200, RR_MSG_ONE_WAY | RR_MSG_UTF8},
    {0, 8}, {0, RR_MSG_UTF8 | RR_MSG_END_ALIGNED | 16}, {300, UINT32_C(1) << 31}, {0, UINT32_MAX},
};

static void a_request_that_says_what_it_may_not_is_not_sent(void)
{
    pair channel = open_channel(1);
    for (size_t k = 0; k < LENGTH(FORBIDDEN); k++) {
        const struct label *label = &FORBIDDEN[k];
        uint64_t id;
        EXPECT(send_labelled(channel.client, "no", 2, label->type, label->flags, &id, FOREVER), -EINVAL);
        EXPECT(rr_client_pending(channel.client), 0);
        expect_none_queued(channel.server);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).requests == 0);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_reply_that_says_what_it_may_not_is_not_sent(void)
{
    pair channel = open_channel(1);
    for (size_t k = 0; k < LENGTH(FORBIDDEN); k++) {
        const struct label *label = &FORBIDDEN[k];
        char buffer[8];
        uint64_t id = ask(&channel);
        EXPECT(reply_labelled(channel.server, id, "no", 2, label->type, label->flags), -EINVAL);
        EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -EAGAIN);
        reply_text(channel.server, id, "yes");
        collect_text(channel.client, id, "yes");
    }
    close_pair(&channel);
}

static void a_labelled_message_is_refused_for_the_reasons_of_a_plain_one(void)
{
    pair channel = open_channel(1);
    char bytes[LONGEST + 1] = {0};
    uint64_t id;
    for (size_t k = 0; k < LENGTH(SENDERS_FLAGS); k++) {
        uint32_t flags = SENDERS_FLAGS[k];
        rr_client *client = channel.client;
        EXPECT(send_labelled(client, bytes, LONGEST + 1, 128, flags, &id, FOREVER), -EMSGSIZE);
        EXPECT(send_labelled(NULL, bytes, 1, 128, flags, &id, FOREVER), -EINVAL);
        EXPECT(send_labelled(client, NULL, 1, 128, flags, &id, FOREVER), -EINVAL);
        EXPECT(send_labelled(client, bytes, 1, 128, flags, NULL, FOREVER), -EINVAL);
        id = ask(&channel);
        uint64_t next;
        EXPECT(send_labelled(client, bytes, 1, 128, flags, &next, 0), -ENOBUFS);
        EXPECT(send_labelled(client, bytes, 1, 128, flags, &next, 10 * MS), -ETIMEDOUT);
        EXPECT(reply_labelled(channel.server, id, bytes, LONGEST + 1, 128, flags), -EMSGSIZE);
        EXPECT(reply_labelled(NULL, id, bytes, 1, 128, flags), -EINVAL);
        EXPECT(reply_labelled(channel.server, id, NULL, 1, 128, flags), -EINVAL);
        EXPECT(reply_labelled(channel.server, id, NULL, 0, 128, flags), 0);
        EXPECT(reply_labelled(channel.server, id, NULL, 0, 128, flags), -ESTALE);
        collect_text(client, id, "");
    }
    expect_works(&channel);
    close_pair(&channel);
}

/* ---- plain messages ---- */

/* A round trip that leaves a type and flags wherever they could be left. */
static void leave_labels(const pair *channel)
{
    uint64_t id;
    EXPECT(send_labelled(channel->client, "labelled", 8, 999, RR_MSG_UTF8 | RR_MSG_END_ALIGNED, &id, 0), 0);
    take_text(channel->server, "labelled");
    EXPECT(reply_labelled(channel->server, id, "labelled", 8, 999, RR_MSG_UTF8 | RR_MSG_END_ALIGNED), 0);
    collect_text(channel->client, id, "labelled");
}

static void send_plainly(const pair *channel, int way, uint64_t *id)
{
    rr_buffer loan = RR_BUFFER_INIT;
    switch (way) {
    case 0:
        EXPECT(rr_client_send(channel->client, "plain", 5, id), 0);
        break;
    case 1:
        EXPECT(rr_client_send_wait(channel->client, "plain", 5, id, FOREVER), 0);
        break;
    case 2:
        EXPECT(rr_client_post(channel->client, "plain", 5, FOREVER), 0);
        break;
    default:
        EXPECT(rr_client_loan(channel->client, &loan, NULL), 0);
        memcpy(loan.data, "plain", 5);
        EXPECT(commit_loan(channel->client, &loan, 5, id), 0);
    }
}

static void a_plain_request_has_no_type_and_flags_whoever_used_its_slot_before(void)
{
    pair channel = open_channel(1);
    for (size_t receiver = 0; receiver < LENGTH(RECEIVERS); receiver++) {
        for (int way = 0; way < 4; way++) {
            seen found;
            uint64_t id = 0;
            leave_labels(&channel);
            send_plainly(&channel, way, &id);
            RECEIVERS[receiver](channel.server, &found);
            CHECK(found.type == 0);
            CHECK(found.flags == (way == 2 ? RR_MSG_ONE_WAY : 0));
            EXPECT(rr_dismiss(channel.server, found.id), 0);
            EXPECT(rr_client_get(channel.client, found.id, NULL, 0), way == 2 ? -ESTALE : -ENOMSG);
        }
    }
    close_pair(&channel);
}

static void a_plain_reply_has_no_type_and_flags_whoever_used_its_slot_before(void)
{
    pair channel = open_channel(1);
    for (int way = 0; way < 2; way++) {
        leave_labels(&channel);
        uint64_t id = ask(&channel);
        if (way == 0) {
            reply_text(channel.server, id, "plain");
        } else {
            void *data = NULL;
            size_t room;
            EXPECT(loan_reply(channel.server, id, &data, &room), 0);
            memcpy(data, "plain", 5);
            EXPECT(commit_reply(channel.server, id, 5, 0, 0), 0);
        }
        rr_view view;
        EXPECT(rr_client_view(channel.client, id, &view, NULL, NULL), 5);
        CHECK(view.msg_type == 0 && view.flags == 0);
        CHECK(memcmp(view.data, "plain", 5) == 0);
        EXPECT(rr_client_release(channel.client, id), 0);
    }
    close_pair(&channel);
}

int main(void)
{
    RUN(a_request_arrives_with_type_and_flags_by_every_way_of_taking_it);
    RUN(several_requests_of_one_batch_keep_their_own);
    RUN(a_reply_arrives_with_type_and_flags);
    RUN(who_does_not_ask_for_type_and_flags_gets_the_same_reply);
    RUN(a_whole_request_gets_a_labelled_reply);
    RUN(a_request_that_says_what_it_may_not_is_not_sent);
    RUN(a_reply_that_says_what_it_may_not_is_not_sent);
    RUN(a_labelled_message_is_refused_for_the_reasons_of_a_plain_one);
    RUN(a_plain_request_has_no_type_and_flags_whoever_used_its_slot_before);
    RUN(a_plain_reply_has_no_type_and_flags_whoever_used_its_slot_before);
    return 0;
}
