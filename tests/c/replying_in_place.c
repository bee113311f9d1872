/*
 * Room for a reply, lent in the channel's memory: what is written there is what the client gets, of every length and at
 * either end of the room; nothing is sent before the commit, and a refused commit changes nothing.
 */
#include "in_place.h"

typedef struct room {
    void *start;
    size_t capacity;
} room;

static room lend_reply(rr_server *server, uint64_t id)
{
    room lent = {NULL, 0};
    EXPECT(loan_reply(server, id, &lent.start, &lent.capacity), 0);
    CHECK(lent.start != NULL);
    return lent;
}

static void expect_no_loan(rr_server *server, uint64_t id, int code)
{
    void *start = &start;
    size_t capacity = 77;
    EXPECT(loan_reply(server, id, &start, &capacity), code);
    CHECK(start == &start && capacity == 77);
}

/* The request still waits, the loan can still be used, and what is built there arrives. */
static void expect_goes_on(const pair *channel, uint64_t id, uint64_t taken, const room *lent)
{
    EXPECT(rr_client_get(channel->client, id, NULL, 0), -EAGAIN);
    memcpy(lent->start, "reply", 5);
    EXPECT(commit_reply(channel->server, taken, 5, 0, 0), 0);
    collect_text(channel->client, id, "reply");
}

static void collect_copy(rr_client *client, uint64_t id, size_t length, uint32_t type, uint32_t flags, unsigned seed)
{
    unsigned char got[RESPONSE_MAX + 8];
    (void)type;
    (void)flags;
    memset(got, CANARY, sizeof got);
    EXPECT(rr_client_get(client, id, got, sizeof got), length);
    CHECK(is_filled(got, length, seed));
    for (size_t k = length; k < sizeof got; k++)
        CHECK(got[k] == CANARY);
}

static void collect_view(rr_client *client, uint64_t id, size_t length, uint32_t type, uint32_t flags, unsigned seed)
{
    rr_view view;
    EXPECT(rr_client_view(client, id, &view, NULL, within(0)), length);
    expect_seen(&view, length, type, flags, seed);
    EXPECT(rr_client_release(client, id), 0);
}

static void (*const COLLECT[])(rr_client *, uint64_t, size_t, uint32_t, uint32_t, unsigned) = {collect_copy,
                                                                                               collect_view};

static void the_first_bytes_of_the_room_arrive(void)
{
    pair channel = open_odd_pair(2);
    for (unsigned k = 0; k < LENGTH(RESPONSE_LENGTHS) * LENGTH(COLLECT); k++) {
        size_t length = RESPONSE_LENGTHS[k / 2];
        uint64_t id = send_text(channel.client, "question");
        uint64_t taken = take_text(channel.server, "question");
        room lent = lend_reply(channel.server, taken);
        build(lent.start, lent.capacity, length, 0, k);
        EXPECT(commit_reply(channel.server, taken, length, 0, 0), 0);
        COLLECT[k % 2](channel.client, id, length, 0, 0, k);
    }
    close_pair(&channel);
}

static void with_type_and_flags_they_arrive_from_either_end(void)
{
    pair channel = open_odd_pair(2);
    for (unsigned k = 0; k < LENGTH(RESPONSE_LENGTHS) * LENGTH(ALIGNMENTS) * LENGTH(COLLECT); k++) {
        size_t length = RESPONSE_LENGTHS[k / 4];
        uint32_t type = k % 3 ? 128 + k : 0, flags = ALIGNMENTS[k / 2 % 2] | (k % 3 == 1 ? RR_MSG_UTF8 : 0);
        uint64_t id = send_text(channel.client, "question");
        uint64_t taken = take_text(channel.server, "question");
        room lent = lend_reply(channel.server, taken);
        build(lent.start, lent.capacity, length, flags, k);
        EXPECT(commit_reply(channel.server, taken, length, type, flags), 0);
        COLLECT[k % 2](channel.client, id, length, type, flags, k);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).reply_bytes == 4 * (0 + 1 + 104 + 105 + RESPONSE_MAX));
    close_pair(&channel);
}

static void the_request_may_be_read_while_its_reply_is_written(void)
{
    pair channel = open_odd_pair(2);
    unsigned char sent[REQUEST_MAX];
    rr_view request, reply;
    uint64_t id;
    fill(sent, sizeof sent, 3);
    EXPECT(rr_client_send(channel.client, sent, sizeof sent, &id), 0);
    EXPECT(rr_recv_view(channel.server, &request, within(0)), sizeof sent);
    room lent = lend_reply(channel.server, request.id);
    build(lent.start, lent.capacity, RESPONSE_MAX, 0, 4);
    expect_seen(&request, sizeof sent, 0, 0, 3);
    EXPECT(commit_reply(channel.server, request.id, RESPONSE_MAX, 0, 0), 0);
    EXPECT(rr_client_view(channel.client, id, &reply, NULL, within(0)), RESPONSE_MAX);
    expect_seen(&reply, RESPONSE_MAX, 0, 0, 4);
    close_pair(&channel);
}

static void each_reply_has_aligned_room_of_its_own_for_the_longest_response(void)
{
    pair channel = open_odd_pair(4);
    uint64_t ids[4];
    rr_view requests[4];
    room lent[4];
    for (int k = 0; k < 4; k++)
        ids[k] = send_text(channel.client, "question");
    EXPECT(rr_drain(channel.server, requests, sizeof(rr_view), 4), 4);
    for (unsigned k = 0; k < 4; k++) {
        lent[k] = lend_reply(channel.server, requests[k].id);
        CHECK(is_aligned(lent[k].start, 128) && lent[k].capacity == RESPONSE_MAX);
        CHECK(lend_reply(channel.server, requests[k].id).start == lent[k].start);
        fill(lent[k].start, RESPONSE_MAX, k);
    }
    for (unsigned k = 4; k-- > 0;)
        EXPECT(commit_reply(channel.server, requests[k].id, RESPONSE_MAX, 0, 0), 0);
    for (unsigned k = 0; k < 4; k++)
        collect_view(channel.client, ids[k], RESPONSE_MAX, 0, 0, k);
    close_pair(&channel);
}

static void nothing_is_sent_before_the_commit(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    room lent = lend_reply(channel.server, taken);
    memcpy(lent.start, "early", 5);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EAGAIN);
    CHECK(stats_of(rr_client_channel(channel.client)).replies == 0);
    expect_goes_on(&channel, id, taken, &lent);
    CHECK(stats_of(rr_client_channel(channel.client)).replies == 1);
    close_pair(&channel);
}

static void a_commit_without_a_loan_is_refused_and_the_request_still_waits(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    EXPECT(commit_reply(channel.server, taken, 0, 0, 0), -EINVAL);
    EXPECT(commit_reply(channel.server, taken, 4, 128, RR_MSG_UTF8), -EINVAL);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EAGAIN);
    reply_text(channel.server, taken, "reply");
    collect_text(channel.client, id, "reply");

    /* A loan for one request is none for the next in its slot. */
    for (int k = 0; k < 2; k++) {
        id = send_text(channel.client, "question");
        taken = take_text(channel.server, "question");
        if (k == 0)
            lend_reply(channel.server, taken);
        else
            EXPECT(commit_reply(channel.server, taken, 4, 0, 0), -EINVAL);
        reply_text(channel.server, taken, "reply");
        collect_text(channel.client, id, "reply");
    }
    close_pair(&channel);
}

static void a_commit_that_is_refused_leaves_the_loan_as_it_was(void)
{
    const struct {
        size_t length;
        uint32_t type, flags;
        int code;
    } refused[] = {
        {RESPONSE_MAX + 1, 0, 0, -EMSGSIZE},
        {SIZE_MAX, 0, 0, -EMSGSIZE},
        {RESPONSE_MAX + 1, 128, RR_MSG_END_ALIGNED, -EMSGSIZE},
        {5, 1, 0, -EINVAL},
        {5, 127, 0, -EINVAL},
        {5, 0, RR_MSG_ONE_WAY, -EINVAL},
        {5, 128, RR_MSG_UTF8 | 8, -EINVAL},
        {5, 0, UINT32_C(1) << 31, -EINVAL},
    };
    pair channel = open_odd_pair(1);
    for (size_t k = 0; k < LENGTH(refused); k++) {
        uint64_t id = send_text(channel.client, "question");
        uint64_t taken = take_text(channel.server, "question");
        room lent = lend_reply(channel.server, taken);
        EXPECT(commit_reply(channel.server, taken, refused[k].length, refused[k].type, refused[k].flags),
               refused[k].code);
        if (refused[k].code == -EMSGSIZE)
            EXPECT(commit_reply(channel.server, taken, refused[k].length, 0, 0), -EMSGSIZE);
        expect_goes_on(&channel, id, taken, &lent);
    }
    close_pair(&channel);
}

static void expect_ended(rr_server *server, uint64_t taken)
{
    EXPECT(commit_reply(server, taken, 5, 0, 0), -ESTALE);
    EXPECT(commit_reply(server, taken, 5, 128, RR_MSG_END_ALIGNED), -ESTALE);
    expect_no_loan(server, taken, -ESTALE);
    EXPECT(rr_reply(server, taken, "again", 5), -ESTALE);
    EXPECT(rr_dismiss(server, taken), -ESTALE);
}

static void a_reply_is_committed_once(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    room lent = lend_reply(channel.server, taken);
    memcpy(lent.start, "reply", 5);
    EXPECT(commit_reply(channel.server, taken, 5, 0, 0), 0);
    expect_ended(channel.server, taken);
    collect_text(channel.client, id, "reply");
    expect_ended(channel.server, taken);
    send_text(channel.client, "next in the slot");
    expect_ended(channel.server, taken);
    take_text(channel.server, "next in the slot");
    expect_ended(channel.server, taken);
    close_pair(&channel);
}

static void a_loan_may_be_left_and_the_request_ended_otherwise(void)
{
    pair channel = open_pair(1);
    for (int way = 0; way < 3; way++) {
        char buffer[8];
        uint64_t id = send_text(channel.client, "question");
        uint64_t taken = take_text(channel.server, "question");
        memcpy(lend_reply(channel.server, taken).start, "never", 5);
        if (way == 0)
            reply_text(channel.server, taken, "copied");
        else if (way == 1)
            EXPECT(rr_reply_error(channel.server, taken, 1, "failed"), 0);
        else
            EXPECT(rr_dismiss(channel.server, taken), 0);
        expect_ended(channel.server, taken);
        const int64_t outcomes[] = {6, -EREMOTEIO, -ENOMSG};
        EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), outcomes[way]);
        CHECK(way != 0 || memcmp(buffer, "copied", 6) == 0);
    }
    expect_works(&channel);
    close_pair(&channel);
}

static void after_the_client_gave_up_there_is_no_room_and_the_slot_is_free(void)
{
    pair channel = open_pair(1);
    for (int lent_before = 0; lent_before < 2; lent_before++) {
        uint64_t id = send_text(channel.client, "question");
        uint64_t taken = take_text(channel.server, "question");
        if (lent_before)
            lend_reply(channel.server, taken);
        EXPECT(rr_client_cancel(channel.client, id), 0);
        if (lent_before)
            EXPECT(commit_reply(channel.server, taken, 5, 0, 0), -ESTALE);
        expect_ended(channel.server, taken);
        EXPECT(rr_client_get(channel.client, id, NULL, 0), -ESTALE);
        rr_participant all[2];
        EXPECT(rr_channel_participants(rr_server_channel(channel.server), all, sizeof(rr_participant), LENGTH(all)), 2);
        CHECK(all[0].held == 0 && all[1].held == 0);
        expect_works(&channel);
    }
    close_pair(&channel);
}

static void only_the_server_that_took_a_request_has_room_for_its_reply(void)
{
    pair channel = open_pair(1);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    uint64_t id = send_text(channel.client, "question");
    expect_ended(channel.server, id);
    uint64_t taken = take_text(channel.server, "question");
    room lent = lend_reply(channel.server, taken);
    const uint64_t unknown[] = {0, 1, taken + 0x10000, UINT64_MAX};
    expect_ended(other, taken);
    for (size_t k = 0; k < LENGTH(unknown); k++)
        expect_ended(channel.server, unknown[k]);
    expect_goes_on(&channel, id, taken, &lent);
    rr_server_free(other);
    close_pair(&channel);
}

static void the_reply_in_place_to_a_one_way_message_is_dropped(void)
{
    pair channel = open_pair(1);
    EXPECT(rr_client_post(channel.client, "posted", 6, 0), 0);
    uint64_t taken = take_text(channel.server, "posted");
    memcpy(lend_reply(channel.server, taken).start, "reply", 5);
    EXPECT(commit_reply(channel.server, taken, 5, 0, 0), 0);
    expect_ended(channel.server, taken);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_null_pointer_is_refused(void)
{
    pair channel = open_pair(1);
    void *start;
    size_t capacity;
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    EXPECT(loan_reply(NULL, taken, &start, &capacity), -EINVAL);
    EXPECT(rr_reply_loan(channel.server, taken, NULL), -EINVAL);
    EXPECT(commit_reply(NULL, taken, 0, 0, 0), -EINVAL);
    EXPECT(commit_reply(NULL, taken, 0, 0, 0), -EINVAL);
    room lent = lend_reply(channel.server, taken);
    expect_goes_on(&channel, id, taken, &lent);
    close_pair(&channel);
}

static void a_stopped_handle_lends_and_sends_nothing(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    lend_reply(channel.server, taken);
    EXPECT(rr_server_stop(channel.server), 0);
    expect_no_loan(channel.server, taken, -ESHUTDOWN);
    EXPECT(commit_reply(channel.server, taken, 5, 0, 0), -ESHUTDOWN);
    EXPECT(commit_reply(channel.server, taken, 5, 0, 0), -ESHUTDOWN);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EAGAIN);
    close_pair(&channel);
}

int main(void)
{
    RUN(the_first_bytes_of_the_room_arrive);
    RUN(with_type_and_flags_they_arrive_from_either_end);
    RUN(the_request_may_be_read_while_its_reply_is_written);
    RUN(each_reply_has_aligned_room_of_its_own_for_the_longest_response);
    RUN(nothing_is_sent_before_the_commit);
    RUN(a_commit_without_a_loan_is_refused_and_the_request_still_waits);
    RUN(a_commit_that_is_refused_leaves_the_loan_as_it_was);
    RUN(a_reply_is_committed_once);
    RUN(a_loan_may_be_left_and_the_request_ended_otherwise);
    RUN(after_the_client_gave_up_there_is_no_room_and_the_slot_is_free);
    RUN(only_the_server_that_took_a_request_has_room_for_its_reply);
    RUN(the_reply_in_place_to_a_one_way_message_is_dropped);
    RUN(a_null_pointer_is_refused);
    RUN(a_stopped_handle_lends_and_sends_nothing);
    return 0;
}
