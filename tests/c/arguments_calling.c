/*
 * The calling side: a null pointer in any place is -EINVAL, and nothing happens; an id that names no request of this
 * handle is -ESTALE, and the requests that there are go on.
 */
#include "integers.h"
#include "untouched.h"

static void calls_without_a_handle_say_so_and_store_nothing(void)
{
    char buffer[8] = "unused";
    uint64_t id = 12345;
    const uint64_t ids[] = {1};
    int64_t number = 12345;
    rr_result result = RR_RESULT_INIT;
    const rr_result fresh_result = RR_RESULT_INIT;
    const rr_msg msg = RR_MSG_INIT;
    rr_buffer loan = RR_BUFFER_INIT;
    rr_view view;
    const rr_buffer fresh = RR_BUFFER_INIT;
    memset(&view, 0xAA, sizeof view);
    EXPECT(rr_client_stop(NULL), -EINVAL);
    EXPECT(rr_client_interrupt(NULL), -EINVAL);
    EXPECT(rr_client_wake(NULL), -EINVAL);
    EXPECT(rr_client_req(NULL, "", 0, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_send(NULL, "", 0, &id), -EINVAL);
    EXPECT(rr_client_send_wait(NULL, "", 0, &id, FOREVER), -EINVAL);
    EXPECT(send_labelled(NULL, "", 0, 0, 0, &id, FOREVER), -EINVAL);
    EXPECT(rr_client_post(NULL, "", 0, FOREVER), -EINVAL);
    EXPECT(rr_client_get(NULL, 1, buffer, sizeof buffer), -EINVAL);
    EXPECT(rr_client_get_wait(NULL, 1, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_wait_any(NULL, ids, 1, NULL), -EINVAL);
    EXPECT(rr_client_cancel(NULL, 1), -EINVAL);
    EXPECT(rr_client_pending(NULL), -EINVAL);
    EXPECT(rr_client_req_msg(NULL, &msg, buffer, sizeof buffer, &result, NULL), -EINVAL);
    EXPECT(rr_client_post_msg(NULL, &msg, NULL), -EINVAL);
    EXPECT(rr_client_get_msg(NULL, 1, buffer, sizeof buffer, &result, NULL), -EINVAL);
    EXPECT(rr_client_send_wait_i64(NULL, 1, &id, FOREVER), -EINVAL);
    EXPECT(rr_client_post_i64(NULL, 1, FOREVER), -EINVAL);
    EXPECT(rr_client_loan(NULL, &loan, NULL), -EINVAL);
    EXPECT(rr_client_commit(NULL, &loan, &id), -EINVAL);
    EXPECT(rr_client_abort(NULL, &loan), -EINVAL);
    EXPECT(rr_client_view(NULL, 1, &view, NULL, NULL), -EINVAL);
    EXPECT(rr_client_release(NULL, 1), -EINVAL);
    EXPECT(rr_client_req_i64(NULL, 1, &number, FOREVER), -EINVAL);
    EXPECT(rr_client_send_i64(NULL, 1, &id), -EINVAL);
    EXPECT(rr_client_get_i64(NULL, 1, &number), -EINVAL);
    EXPECT(rr_client_get_wait_i64(NULL, 1, &number, FOREVER), -EINVAL);
    CHECK(rr_client_channel(NULL) == NULL);
    CHECK(id == 12345 && number == 12345 && strcmp(buffer, "unused") == 0);
    CHECK(memcmp(&loan, &fresh, sizeof loan) == 0 && memcmp(&result, &fresh_result, sizeof result) == 0);
    const unsigned char *bytes = (const unsigned char *)&view;
    for (size_t k = 0; k < sizeof view; k++)
        CHECK(bytes[k] == 0xAA);
}

static void sending_without_data_or_a_place_for_the_id_sends_nothing(void)
{
    pair channel = open_pair(4);
    uint64_t id = 12345;
    char buffer[8];
    const image *before = image_of(rr_client_channel(channel.client));
    REFUSED(before, rr_client_req(channel.client, NULL, 1, buffer, sizeof buffer, FOREVER));
    REFUSED(before, rr_client_req(channel.client, "", 0, NULL, 1, FOREVER));
    REFUSED(before, rr_client_send(channel.client, NULL, 1, &id));
    REFUSED(before, rr_client_send(channel.client, "", 0, NULL));
    REFUSED(before, rr_client_send_wait(channel.client, NULL, 1, &id, FOREVER));
    REFUSED(before, rr_client_send_wait(channel.client, "", 0, NULL, FOREVER));
    REFUSED(before, send_labelled(channel.client, NULL, 1, 0, 0, &id, FOREVER));
    REFUSED(before, send_labelled(channel.client, "", 0, 0, 0, NULL, FOREVER));
    REFUSED(before, rr_client_post(channel.client, NULL, 1, FOREVER));
    CHECK(id == 12345);
    close_pair(&channel);
}

static void collecting_without_a_buffer_or_a_place_leaves_the_reply(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "asked");
    reply_text(channel.server, take_text(channel.server, "asked"), "told");
    const image *before = image_of(rr_client_channel(channel.client));
    REFUSED(before, rr_client_get(channel.client, id, NULL, 8));
    REFUSED(before, rr_client_get_wait(channel.client, id, NULL, 8, FOREVER));
    REFUSED(before, rr_client_view(channel.client, id, NULL, NULL, NULL));
    REFUSED(before, rr_client_wait_any(channel.client, NULL, 1, NULL));
    REFUSED(before, rr_client_done(channel.client, NULL, 1));
    collect_text(channel.client, id, "told");
    close_pair(&channel);
}

static void waiting_for_any_of_no_ids_does_not_wait(void)
{
    pair channel = open_pair(1);
    const uint64_t none[] = {0, 0, 0};
    const image *before = image_of(rr_client_channel(channel.client));
    REFUSED(before, rr_client_wait_any(channel.client, NULL, 0, NULL));
    REFUSED(before, rr_client_wait_any(channel.client, none, 0, NULL));
    REFUSED(before, rr_client_wait_any(channel.client, none, LENGTH(none), NULL));
    close_pair(&channel);
}

static void loans_without_a_place_take_no_slot_and_go_on(void)
{
    pair channel = open_pair(4);
    rr_buffer loan = RR_BUFFER_INIT;
    uint64_t id = 12345;
    const image *before = image_of(rr_client_channel(channel.client));
    REFUSED(before, rr_client_loan(channel.client, NULL, NULL));
    EXPECT(rr_client_loan(channel.client, &loan, NULL), 0);
    before = image_of(rr_client_channel(channel.client));
    REFUSED(before, commit_loan(channel.client, NULL, 0, &id));
    REFUSED(before, commit_loan(channel.client, &loan, 0, NULL));
    REFUSED(before, rr_client_abort(channel.client, NULL));
    CHECK(id == 12345 && loan.data != NULL);
    EXPECT(commit_loan(channel.client, &loan, 0, &id), 0);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    close_pair(&channel);
}

static void numbers_without_a_place_are_neither_sent_nor_collected(void)
{
    pair channel = open_int_pair(4);
    const image *before = image_of(rr_client_channel(channel.client));
    REFUSED(before, rr_client_req_i64(channel.client, 1, NULL, FOREVER));
    REFUSED(before, rr_client_send_i64(channel.client, 1, NULL));
    uint64_t id = send_number(channel.client, 7);
    reply_number(channel.server, take_number(channel.server, 7), 70);
    before = image_of(rr_client_channel(channel.client));
    REFUSED(before, rr_client_get_i64(channel.client, id, NULL));
    REFUSED(before, rr_client_get_wait_i64(channel.client, id, NULL, FOREVER));
    int64_t number;
    EXPECT(rr_client_get_i64(channel.client, id, &number), 0);
    CHECK(number == 70);
    close_pair(&channel);
}

static void impossible_lengths_are_too_long(void)
{
    pair channel = open_pair(1);
    uint64_t id;
    const size_t lengths[] = {4097, UINT32_MAX, SIZE_MAX / 2 + 1, SIZE_MAX};
    for (size_t k = 0; k < LENGTH(lengths); k++) {
        /* Refused by its length, before a byte is read. */
        static const char byte = 0;
        EXPECT(rr_client_req(channel.client, &byte, lengths[k], NULL, 0, FOREVER), -EMSGSIZE);
        EXPECT(rr_client_send(channel.client, &byte, lengths[k], &id), -EMSGSIZE);
        EXPECT(rr_client_send_wait(channel.client, &byte, lengths[k], &id, FOREVER), -EMSGSIZE);
        EXPECT(send_labelled(channel.client, &byte, lengths[k], 0, 0, &id, FOREVER), -EMSGSIZE);
        EXPECT(rr_client_post(channel.client, &byte, lengths[k], FOREVER), -EMSGSIZE);
        rr_buffer loan = RR_BUFFER_INIT;
        EXPECT(rr_client_loan(channel.client, &loan, within(0)), 0);
        EXPECT(commit_loan(channel.client, &loan, lengths[k], &id), -EMSGSIZE);
        EXPECT(rr_client_abort(channel.client, &loan), 0);
    }
    EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 0);
    close_pair(&channel);
}

/* Of both kinds of channel, where they have a call in common. */
static void expect_stale(rr_client *client, uint64_t id)
{
    const uint64_t one[] = {id};
    EXPECT(rr_client_cancel(client, id), -ESTALE);
    EXPECT(rr_client_release(client, id), -ESTALE);
    if (id != 0)
        EXPECT(rr_client_wait_any(client, one, 1, NULL), -ESTALE);
    char bytes[8];
    rr_result result = RR_RESULT_INIT;
    result.id = 77;
    EXPECT(rr_client_get_msg(client, id, bytes, sizeof bytes, &result, NULL), -ESTALE);
    CHECK(result.id == 0 && result.length == 0 && result.flags == 0);
}

static void expect_stale_of_bytes(rr_client *client, uint64_t id)
{
    char buffer[8];
    rr_view view;
    rr_buffer loan = {sizeof loan, 0, id, buffer, sizeof buffer, 0, 0, 0};
    uint64_t sent;
    expect_stale(client, id);
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), -ESTALE);
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), -ESTALE);
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), -ESTALE);
    EXPECT(commit_loan(client, &loan, 0, &sent), -ESTALE);
    EXPECT(rr_client_abort(client, &loan), -ESTALE);
    CHECK(loan.data == buffer);
}

static void expect_stale_of_integers(rr_client *client, uint64_t id)
{
    int64_t number;
    expect_stale(client, id);
    EXPECT(rr_client_get_i64(client, id, &number), -ESTALE);
    EXPECT(rr_client_get_wait_i64(client, id, &number, FOREVER), -ESTALE);
}

/* Nobody's; beyond the channel's slots; of another generation; not an id at all. */
#define STRANGE(held) \
    {0, 1, 6, 65535, 65536, 65536 + 6, (held) + 65536, (held) | 0xFFFF, INT64_MAX, UINT64_MAX - 65535, UINT64_MAX}

static void ids_that_were_never_given_out_are_stale(void)
{
    pair channel = open_pair(2);
    uint64_t held = send_text(channel.client, "held");
    const uint64_t ids[] = STRANGE(held);
    for (size_t k = 0; k < LENGTH(ids); k++)
        if (ids[k] != held)
            expect_stale_of_bytes(channel.client, ids[k]);
    EXPECT(rr_client_pending(channel.client), 1);
    reply_text(channel.server, take_text(channel.server, "held"), "told");
    collect_text(channel.client, held, "told");
    expect_stale_of_bytes(channel.client, held);
    close_pair(&channel);
}

static void so_are_they_in_a_channel_of_integers(void)
{
    pair channel = open_int_pair(2);
    uint64_t held = send_number(channel.client, 7);
    const uint64_t ids[] = STRANGE(held);
    for (size_t k = 0; k < LENGTH(ids); k++)
        if (ids[k] != held)
            expect_stale_of_integers(channel.client, ids[k]);
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(rr_client_cancel(channel.client, held), 0);
    expect_stale_of_integers(channel.client, held);
    close_pair(&channel);
}

static void the_requests_and_loans_of_another_handle_are_stale(void)
{
    pair channel = open_pair(4);
    rr_client *other = another_client(&channel);
    uint64_t ready = send_text(channel.client, "ready");
    reply_text(channel.server, take_text(channel.server, "ready"), "told");
    uint64_t held = send_text(channel.client, "held");
    take_text(channel.server, "held");
    uint64_t queued = send_text(channel.client, "queued");
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(channel.client, &loan, within(0)), 0);
    const image *before = image_of(rr_client_channel(channel.client));
    const uint64_t ids[] = {ready, held, queued, loan.id};
    for (size_t k = 0; k < LENGTH(ids); k++)
        expect_stale_of_bytes(other, ids[k]);
    expect_untouched(__FILE__, __LINE__, "what another handle asks", before);
    EXPECT(rr_client_abort(channel.client, &loan), 0);
    collect_text(channel.client, ready, "told");
    EXPECT(rr_client_pending(channel.client), 2);
    rr_client_free(other);
    close_pair(&channel);
}

int main(void)
{
    RUN(calls_without_a_handle_say_so_and_store_nothing);
    RUN(sending_without_data_or_a_place_for_the_id_sends_nothing);
    RUN(collecting_without_a_buffer_or_a_place_leaves_the_reply);
    RUN(waiting_for_any_of_no_ids_does_not_wait);
    RUN(loans_without_a_place_take_no_slot_and_go_on);
    RUN(numbers_without_a_place_are_neither_sent_nor_collected);
    RUN(impossible_lengths_are_too_long);
    RUN(ids_that_were_never_given_out_are_stale);
    RUN(so_are_they_in_a_channel_of_integers);
    RUN(the_requests_and_loans_of_another_handle_are_stale);
    return 0;
}
