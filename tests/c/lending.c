/*
 * Room for a request, lent in the channel's memory: what is built there arrives, once; until then nobody sees it; and
 * every loan ends by a commit, an abort, or with whoever held it.
 */
#include "in_place.h"

static uint64_t commit(rr_client *client, rr_buffer *loan, size_t length)
{
    uint64_t id = 0;
    EXPECT(commit_loan(client, loan, length, &id), 0);
    CHECK(id != 0 && (int64_t)id > 0);
    CHECK(loan->data == NULL);
    return id;
}

static void expect_ended(rr_client *client, rr_buffer *loan)
{
    uint64_t id = 77;
    EXPECT(commit_loan(client, loan, 0, &id), -ESTALE);
    EXPECT(rr_client_abort(client, loan), -ESTALE);
    CHECK(id == 77);
}

/* The loan can still be used: it is, and what is built there arrives. */
static void expect_goes_on(const pair *channel, rr_buffer *loan)
{
    CHECK(loan->data != NULL);
    expect_none_queued(channel->server);
    memcpy(loan->data, "built", 5);
    uint64_t id = commit(channel->client, loan, 5);
    reply_text(channel->server, take_text(channel->server, "built"), "reply");
    collect_text(channel->client, id, "reply");
}

/* Takes a message of this length by a copy. */
static uint64_t receive_copy(rr_server *server, size_t length, uint32_t type, uint32_t flags, unsigned seed)
{
    unsigned char got[REQUEST_MAX + 8];
    rr_request request;
    memset(got, CANARY, sizeof got);
    EXPECT(rr_recv(server, got, sizeof got, &request), length);
    CHECK(request.length == length && request.msg_type == type && request.flags == flags);
    CHECK(is_filled(got, length, seed));
    for (size_t k = length; k < sizeof got; k++)
        CHECK(got[k] == CANARY);
    return request.id;
}

static uint64_t receive_view(rr_server *server, size_t length, uint32_t type, uint32_t flags, unsigned seed)
{
    rr_view view;
    EXPECT(rr_recv_view(server, &view, within(0)), length);
    expect_seen(&view, length, type, flags, seed);
    return view.id;
}

static void what_is_built_in_place_arrives(void)
{
    uint64_t (*const receive[])(rr_server *, size_t, uint32_t, uint32_t, unsigned) = {receive_copy, receive_view};
    pair channel = open_odd_pair(2);
    for (unsigned k = 0; k < LENGTH(REQUEST_LENGTHS) * LENGTH(ALIGNMENTS) * LENGTH(receive); k++) {
        size_t length = REQUEST_LENGTHS[k / 4];
        uint32_t type = k % 3 ? 128 + k : 0, flags = ALIGNMENTS[k % 2] | (k % 3 == 1 ? RR_MSG_UTF8 : 0);
        rr_buffer loan = lend(channel.client);
        build(loan.data, loan.capacity, length, flags, k);
        loan.msg_type = type;
        loan.flags = flags;
        uint64_t id = commit(channel.client, &loan, length);
        uint64_t taken = receive[k / 2 % 2](channel.server, length, type, flags, k);
        reply_text(channel.server, taken, "arrived");
        collect_text(channel.client, id, "arrived");
    }
    CHECK(stats_of(rr_client_channel(channel.client)).request_bytes == 4 * (0 + 1 + 104 + 105 + REQUEST_MAX));
    close_pair(&channel);
}

static void each_loan_has_aligned_room_of_its_own_for_the_longest_request(void)
{
    pair channel = open_odd_pair(4);
    rr_buffer loans[4] = {RR_BUFFER_INIT, RR_BUFFER_INIT, RR_BUFFER_INIT, RR_BUFFER_INIT};
    for (unsigned k = 0; k < LENGTH(loans); k++) {
        loans[k] = lend(channel.client);
        CHECK(is_aligned(loans[k].data, 128));
        CHECK(loans[k].capacity == REQUEST_MAX && loans[k].msg_type == 0 && loans[k].flags == 0);
        fill(loans[k].data, loans[k].capacity, k);
    }
    for (unsigned k = 0; k < LENGTH(loans); k++)
        commit(channel.client, &loans[k], REQUEST_MAX);
    for (unsigned k = 0; k < LENGTH(loans); k++)
        receive_view(channel.server, REQUEST_MAX, 0, 0, k);
    close_pair(&channel);
}

static void a_loan_holds_a_slot_and_is_not_sent_before_its_commit(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_client_channel(channel.client);
    rr_buffer loan = lend(channel.client);
    rr_stats lent = stats_of(handle);
    CHECK(lent.in_flight == 1 && lent.free == 1 && lent.queued == 0 && lent.requests == 0);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_channel_queued(handle), 0);
    expect_none_queued(channel.server);
    expect_works(&channel);

    memcpy(loan.data, "built", 5);
    uint64_t id = commit(channel.client, &loan, 5);
    rr_stats sent = stats_of(handle);
    CHECK(sent.in_flight == 1 && sent.free == 1 && sent.queued == 1 && sent.requests == lent.requests + 2);
    EXPECT(rr_client_pending(channel.client), 1);
    reply_text(channel.server, take_text(channel.server, "built"), "reply");
    collect_text(channel.client, id, "reply");
    EXPECT(rr_client_pending(channel.client), 0);
    close_pair(&channel);
}

static void a_loan_has_no_reply_and_is_not_cancelled(void)
{
    pair channel = open_pair(1);
    rr_buffer loan = lend(channel.client);
    rr_view view;
    char buffer[8];
    EXPECT(rr_client_get(channel.client, loan.id, buffer, sizeof buffer), -EAGAIN);
    EXPECT(rr_client_get_wait(channel.client, loan.id, buffer, sizeof buffer, MS), -ETIMEDOUT);
    EXPECT(rr_client_view(channel.client, loan.id, &view, NULL, within(0)), -EAGAIN);
    EXPECT(rr_client_release(channel.client, loan.id), -EAGAIN);
    EXPECT(rr_client_cancel(channel.client, loan.id), -ESTALE);
    expect_goes_on(&channel, &loan);
    close_pair(&channel);
}

static void a_loan_is_not_cleared(void)
{
    pair channel = open_pair(1);
    rr_buffer loan = lend(channel.client);
    EXPECT(rr_channel_clear(rr_client_channel(channel.client)), 0);
    expect_goes_on(&channel, &loan);
    close_pair(&channel);
}

static void a_loan_ends_once(void)
{
    pair channel = open_pair(2);
    rr_buffer committed = lend(channel.client), aborted = lend(channel.client);
    rr_buffer copies[] = {committed, aborted};
    uint64_t id = commit(channel.client, &committed, 0);
    EXPECT(rr_client_abort(channel.client, &aborted), 0);
    CHECK(aborted.data == NULL);
    for (int later = 0; later < 2; later++) {
        expect_ended(channel.client, &committed);
        expect_ended(channel.client, &aborted);
        expect_ended(channel.client, &copies[0]);
        expect_ended(channel.client, &copies[1]);
        EXPECT(rr_client_pending(channel.client), later ? 2 : 1);
        /* Later, the slots of both hold other requests. */
        if (!later) {
            reply_text(channel.server, take_text(channel.server, ""), "reply");
            collect_text(channel.client, id, "reply");
            send_text(channel.client, "1");
            send_text(channel.client, "2");
        }
    }
    take_text(channel.server, "1");
    take_text(channel.server, "2");
    expect_none_queued(channel.server);
    close_pair(&channel);
}

static void an_aborted_loan_gives_its_slot_back_and_is_never_seen(void)
{
    pair channel = open_pair(1);
    for (int k = 0; k < 100; k++) {
        rr_buffer loan = lend(channel.client);
        uint64_t id;
        EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
        EXPECT(rr_client_abort(channel.client, &loan), 0);
        expect_none_queued(channel.server);
        expect_works(&channel);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).free == 1);
    close_pair(&channel);
}

static void a_commit_that_is_refused_leaves_the_loan_as_it_was(void)
{
    const struct {
        size_t length;
        uint32_t type, flags;
        int code;
    } refused[] = {
        {REQUEST_MAX + 1, 0, 0, -EMSGSIZE},
        {SIZE_MAX, 0, 0, -EMSGSIZE},
        {REQUEST_MAX + 1, 0, RR_MSG_END_ALIGNED, -EMSGSIZE},
        {5, 1, 0, -EINVAL},
        {5, 127, 0, -EINVAL},
        {5, 0, RR_MSG_ONE_WAY, -EINVAL},
        {5, 128, RR_MSG_UTF8 | 8, -EINVAL},
        {5, 0, UINT32_C(1) << 31, -EINVAL},
    };
    pair channel = open_odd_pair(1);
    for (size_t k = 0; k < LENGTH(refused); k++) {
        rr_buffer loan = lend(channel.client);
        void *room = loan.data;
        uint64_t id = 77;
        loan.msg_type = refused[k].type;
        loan.flags = refused[k].flags;
        EXPECT(commit_loan(channel.client, &loan, refused[k].length, &id), refused[k].code);
        CHECK(id == 77 && loan.data == room && loan.capacity == REQUEST_MAX);
        loan.msg_type = UINT32_MAX;
        loan.flags = 0;
        expect_goes_on(&channel, &loan);
    }
    close_pair(&channel);
}

static void a_null_pointer_is_refused(void)
{
    pair channel = open_pair(1);
    rr_buffer loan = RR_BUFFER_INIT;
    uint64_t id;
    EXPECT(rr_client_loan(NULL, &loan, within(0)), -EINVAL);
    EXPECT(rr_client_loan(channel.client, NULL, within(0)), -EINVAL);
    loan = lend(channel.client);
    EXPECT(commit_loan(NULL, &loan, 0, &id), -EINVAL);
    EXPECT(commit_loan(channel.client, NULL, 0, &id), -EINVAL);
    EXPECT(commit_loan(channel.client, &loan, 0, NULL), -EINVAL);
    EXPECT(rr_client_abort(NULL, &loan), -EINVAL);
    EXPECT(rr_client_abort(channel.client, NULL), -EINVAL);
    expect_goes_on(&channel, &loan);
    close_pair(&channel);
}

static void another_handle_or_process_cannot_end_a_loan(void)
{
    pair channel = open_pair(1);
    rr_client *other = another_client(&channel);
    rr_buffer loan = lend(channel.client);
    expect_ended(other, &loan);
    pid_t child = fork_child();
    if (child == 0) {
        expect_ended(channel.client, &loan);
        child_ends();
    }
    expect_ended_well(child);
    expect_goes_on(&channel, &loan);
    rr_client_free(other);
    close_pair(&channel);
}

static void abort_in_context(void *context)
{
    rr_buffer *loan = (rr_buffer *)((void **)context)[1];
    EXPECT(rr_client_abort((rr_client *)((void **)context)[0], loan), 0);
}

static void a_loan_waits_for_a_slot_as_long_as_it_may(void)
{
    pair channel = open_pair(1);
    rr_buffer first = lend(channel.client), second = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(channel.client, &second, within(0)), -ENOBUFS);
    int64_t begun = now();
    EXPECT(rr_client_loan(channel.client, &second, within(30 * MS)), -ETIMEDOUT);
    int64_t took = now() - begun;
    CHECK(took >= 30 * MS && took < 10 * SECOND);

    void *context[] = {channel.client, &first};
    deed aborting;
    plan(&aborting, rr_client_channel(channel.client), abort_in_context, context);
    EXPECT(rr_client_loan(channel.client, &second, NULL), 0);
    done(&aborting);
    CHECK(first.data == NULL);
    expect_goes_on(&channel, &second);
    close_pair(&channel);
}

static void whoever_waits_to_send_gets_the_slot_of_a_loan_that_ends(void)
{
    pair channel = open_pair(1);
    rr_buffer loan = lend(channel.client);
    void *context[] = {channel.client, &loan};
    deed aborting;
    uint64_t id;
    plan(&aborting, rr_client_channel(channel.client), abort_in_context, context);
    EXPECT(rr_client_send_wait(channel.client, "sent", 4, &id, FOREVER), 0);
    done(&aborting);
    take_text(channel.server, "sent");
    close_pair(&channel);
}

static void a_loan_ends_with_its_handle_or_process(void)
{
    pair channel = open_pair(1);
    rr_client *leaving = another_client(&channel);
    uint64_t id;
    lend(leaving);
    EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
    rr_client_free(leaving);
    expect_works(&channel);

    pid_t child = fork_child();
    if (child == 0) {
        lend(channel.client);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
    expect_works(&channel);
    expect_none_queued(channel.server);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 1);
    close_pair(&channel);
}

static void a_stopped_handle_lends_and_sends_nothing(void)
{
    pair channel = open_pair(2);
    rr_buffer loan = lend(channel.client), another = RR_BUFFER_INIT;
    uint64_t id;
    EXPECT(rr_client_stop(channel.client), 0);
    EXPECT(rr_client_loan(channel.client, &another, NULL), -ESHUTDOWN);
    EXPECT(commit_loan(channel.client, &loan, 0, &id), -ESHUTDOWN);
    EXPECT(rr_client_abort(channel.client, &loan), -ESHUTDOWN);
    rr_client_free(channel.client);
    channel.client = another_client(&channel);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 2);
    expect_none_queued(channel.server);
    close_pair(&channel);
}

int main(void)
{
    RUN(what_is_built_in_place_arrives);
    RUN(each_loan_has_aligned_room_of_its_own_for_the_longest_request);
    RUN(a_loan_holds_a_slot_and_is_not_sent_before_its_commit);
    RUN(a_loan_has_no_reply_and_is_not_cancelled);
    RUN(a_loan_is_not_cleared);
    RUN(a_loan_ends_once);
    RUN(an_aborted_loan_gives_its_slot_back_and_is_never_seen);
    RUN(a_commit_that_is_refused_leaves_the_loan_as_it_was);
    RUN(a_null_pointer_is_refused);
    RUN(another_handle_or_process_cannot_end_a_loan);
    RUN(a_loan_waits_for_a_slot_as_long_as_it_may);
    RUN(whoever_waits_to_send_gets_the_slot_of_a_loan_that_ends);
    RUN(a_loan_ends_with_its_handle_or_process);
    RUN(a_stopped_handle_lends_and_sends_nothing);
    return 0;
}
