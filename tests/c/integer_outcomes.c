/*
 * Requests of channels of integers end in all the ways that requests end, by the calls that concern both kinds of
 * channel: an error reply, no reply, a death, a withdrawal.
 */
#include "doomed.h"
#include "integers.h"

static void an_id_is_good_once_and_for_its_handle_only(void)
{
    pair channel = open_int_pair(2);
    rr_client *other = another_int_client(&channel);
    rr_server *another = another_int_server(&channel);
    int64_t number;
    uint64_t id = send_number(channel.client, 1);
    EXPECT(rr_client_get_i64(channel.client, 0, &number), -ESTALE);
    EXPECT(rr_client_get_i64(channel.client, UINT64_MAX, &number), -ESTALE);
    EXPECT(rr_client_get_i64(other, id, &number), -ESTALE);
    EXPECT(rr_client_get_wait_i64(other, id, &number, FOREVER), -ESTALE);
    EXPECT(rr_reply_i64(channel.server, id, 1), -ESTALE);
    EXPECT(rr_reply_i64(channel.server, 0, 1), -ESTALE);

    take_number(channel.server, 1);
    EXPECT(rr_reply_i64(another, id, 9), -ESTALE);
    reply_number(channel.server, id, 10);
    EXPECT(rr_reply_i64(channel.server, id, 11), -ESTALE);
    collect_number(channel.client, id, 10);
    EXPECT(rr_client_get_i64(channel.client, id, &number), -ESTALE);
    EXPECT(rr_client_get_wait_i64(channel.client, id, &number, FOREVER), -ESTALE);
    EXPECT(rr_reply_i64(channel.server, id, 11), -ESTALE);
    rr_server_free(another);
    rr_client_free(other);
    expect_int_works(&channel);
    close_pair(&channel);
}

static void a_null_pointer_is_einval_and_takes_nothing(void)
{
    pair channel = open_int_pair(2);
    int64_t number;
    uint64_t id = send_number(channel.client, 1);
    rr_request request;
    EXPECT(rr_recv_i64(NULL, &number, &request), -EINVAL);
    EXPECT(rr_recv_i64(channel.server, NULL, &request), -EINVAL);
    EXPECT(rr_recv_i64(channel.server, &number, NULL), -EINVAL);
    EXPECT(rr_recv_wait_i64(NULL, &number, &request, FOREVER), -EINVAL);
    EXPECT(rr_recv_wait_i64(channel.server, NULL, &request, FOREVER), -EINVAL);
    EXPECT(rr_recv_wait_i64(channel.server, &number, NULL, FOREVER), -EINVAL);
    take_number(channel.server, 1);
    EXPECT(rr_reply_i64(NULL, id, 1), -EINVAL);
    reply_number(channel.server, id, 2);
    EXPECT(rr_client_get_i64(NULL, id, &number), -EINVAL);
    EXPECT(rr_client_get_i64(channel.client, id, NULL), -EINVAL);
    EXPECT(rr_client_get_wait_i64(NULL, id, &number, FOREVER), -EINVAL);
    EXPECT(rr_client_get_wait_i64(channel.client, id, NULL, FOREVER), -EINVAL);
    collect_number(channel.client, id, 2);
    EXPECT(rr_client_send_i64(NULL, 1, &id), -EINVAL);
    EXPECT(rr_client_send_i64(channel.client, 1, NULL), -EINVAL);
    EXPECT(rr_client_req_i64(NULL, 1, &number, FOREVER), -EINVAL);
    EXPECT(rr_client_req_i64(channel.client, 1, NULL, FOREVER), -EINVAL);
    EXPECT(rr_client_pending(channel.client), 0);
    expect_int_works(&channel);
    close_pair(&channel);
}

/* ---- what a server does instead of replying with a number ---- */

static uint64_t next_number(rr_server *server)
{
    int64_t number;
    rr_request request;
    EXPECT(rr_recv_wait_i64(server, &number, &request, FOREVER), 0);
    return request.id;
}

static void take_next_number(void *server)
{
    next_number((rr_server *)server);
}

static void let_go(rr_server *server)
{
    EXPECT(rr_dismiss(server, next_number(server)), 0);
}

static void fail_with_text(rr_server *server)
{
    EXPECT(rr_reply_error(server, next_number(server), 7, "seven"), 0);
}

static void clear_channel(rr_server *server)
{
    next_number(server);
    EXPECT(rr_channel_clear(rr_server_channel(server)), 1);
}

static void take_and_die(rr_server *server)
{
    next_number(server);
    kill(getpid(), SIGKILL);
}

/* Each by a child, which ends by it or after it. */
static const struct ending {
    void (*act)(rr_server *);
    int code;
    int is_killed;
} ENDINGS[] = {
    {let_go, -ENOMSG, 0},
    {clear_channel, -ESTALE, 0},
    {fail_with_text, -EREMOTEIO, 0},
    {take_and_die, -EOWNERDEAD, 1},
};

static pid_t begin_ending(const struct ending *ending, rr_server *server)
{
    pid_t child = fork_child();
    if (child == 0) {
        ending->act(server);
        child_ends();
    }
    return child;
}

static void finish_ending(const struct ending *ending, pid_t child)
{
    if (ending->is_killed)
        expect_killed(child);
    else
        expect_ended_well(child);
}

static void a_whole_request_tells_how_it_ended_and_leaves_nothing(void)
{
    for (size_t k = 0; k < LENGTH(ENDINGS); k++) {
        pair channel = open_int_pair(1);
        pid_t child = begin_ending(&ENDINGS[k], channel.server);
        int64_t number;
        EXPECT(rr_client_req_i64(channel.client, 1, &number, 60 * SECOND), ENDINGS[k].code);
        EXPECT(rr_client_pending(channel.client), 0);
        finish_ending(&ENDINGS[k], child);
        expect_int_works(&channel);
        close_pair(&channel);
    }
}

static void a_wait_tells_how_its_request_ended_once(void)
{
    for (size_t k = 0; k < LENGTH(ENDINGS); k++) {
        pair channel = open_int_pair(1);
        uint64_t id = send_number(channel.client, 1);
        pid_t child = begin_ending(&ENDINGS[k], channel.server);
        int64_t number;
        /* Who asks after a clear hears that the id is gone. */
        int code = rr_client_get_wait_i64(channel.client, id, &number, 60 * SECOND);
        if (!(ENDINGS[k].act == clear_channel && code == -ESTALE))
            EXPECT(code, ENDINGS[k].code);
        EXPECT(rr_client_get_wait_i64(channel.client, id, &number, 60 * SECOND), -ESTALE);
        EXPECT(rr_client_pending(channel.client), 0);
        finish_ending(&ENDINGS[k], child);
        expect_int_works(&channel);
        close_pair(&channel);
    }
}

static void get_tells_how_its_request_ended_once(void)
{
    for (size_t k = 0; k < LENGTH(ENDINGS); k++) {
        pair channel = open_int_pair(1);
        uint64_t id = send_number(channel.client, 1);
        finish_ending(&ENDINGS[k], begin_ending(&ENDINGS[k], channel.server));
        rr_channel_recover(rr_client_channel(channel.client));
        int64_t number;
        int is_gone = ENDINGS[k].act == clear_channel;
        EXPECT(rr_client_pending(channel.client), is_gone ? 0 : 1);
        EXPECT(rr_client_get_i64(channel.client, id, &number), is_gone ? -ESTALE : ENDINGS[k].code);
        EXPECT(rr_client_get_i64(channel.client, id, &number), -ESTALE);
        EXPECT(rr_client_pending(channel.client), 0);
        expect_int_works(&channel);
        close_pair(&channel);
    }
}

static void a_request_that_was_let_go_of_is_stale_to_its_server(void)
{
    pair channel = open_int_pair(2);
    int64_t number;
    uint64_t id = send_number(channel.client, 1);
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);
    take_number(channel.server, 1);
    EXPECT(rr_dismiss(channel.server, id), 0);
    EXPECT(rr_dismiss(channel.server, id), -ESTALE);
    EXPECT(rr_reply_i64(channel.server, id, 1), -ESTALE);
    EXPECT(rr_reply_error(channel.server, id, 1, ""), -ESTALE);
    EXPECT(rr_client_get_i64(channel.client, id, &number), -ENOMSG);
    expect_int_works(&channel);
    close_pair(&channel);
}

static void the_text_of_an_error_reply_has_104_bytes_at_most(void)
{
    pair channel = open_int_pair(2);
    char sent[106], text[128];
    int64_t number;
    for (size_t length = 0; length <= 104; length += 8) {
        rr_result result = result_with(text, sizeof text);
        memset(sent, 'e', length);
        sent[length] = 0;
        uint64_t id = send_number(channel.client, 1);
        EXPECT(rr_reply_error(channel.server, take_number(channel.server, 1), -5, sent), 0);
        EXPECT(rr_client_get_msg(channel.client, id, &number, sizeof number, &result, NULL), -EREMOTEIO);
        EXPECT(result.text_length, length);
        CHECK(result.code == -5 && strcmp(text, sent) == 0);
    }
    memset(sent, 'e', 105);
    sent[105] = 0;
    uint64_t id = send_number(channel.client, 1);
    take_number(channel.server, 1);
    EXPECT(rr_reply_error(channel.server, id, 1, sent), -EMSGSIZE);
    EXPECT(rr_client_get_i64(channel.client, id, &number), -EAGAIN);
    reply_number(channel.server, id, 2);
    collect_number(channel.client, id, 2);
    close_pair(&channel);
}

/* ---- calls that concern both kinds ---- */

static void requests_are_counted_and_withdrawn(void)
{
    pair channel = open_int_pair(3);
    int64_t number;
    rr_request request;
    uint64_t queued = send_number(channel.client, 1), taken = send_number(channel.client, 2);
    uint64_t replied = send_number(channel.client, 3);
    EXPECT(rr_client_pending(channel.client), 3);
    EXPECT(rr_client_cancel(channel.client, queued), 0);
    take_number(channel.server, 2);
    reply_number(channel.server, take_number(channel.server, 3), 30);
    EXPECT(rr_client_cancel(channel.client, taken), 0);
    EXPECT(rr_reply_i64(channel.server, taken, 20), -ESTALE);
    EXPECT(rr_client_cancel(channel.client, replied), -EALREADY);
    EXPECT(rr_client_cancel(channel.client, queued), -ESTALE);
    EXPECT(rr_client_get_i64(channel.client, taken, &number), -ESTALE);
    EXPECT(rr_client_pending(channel.client), 1);
    collect_number(channel.client, replied, 30);
    EXPECT(rr_recv_i64(channel.server, &number, &request), -EAGAIN);
    EXPECT(rr_client_pending(channel.client), 0);
    close_pair(&channel);
}

static void clear_it(void *client)
{
    EXPECT(rr_channel_clear(rr_client_channel((rr_client *)client)), 1);
}

static void who_waits_hears_of_a_clear(void)
{
    pair channel = open_int_pair(1);
    int64_t number;
    for (int claimed = 0; claimed < 2; claimed++) {
        deed clearing;
        uint64_t id = send_number(channel.client, 1);
        if (claimed)
            take_number(channel.server, 1);
        plan(&clearing, rr_client_channel(channel.client), clear_it, channel.client);
        EXPECT(rr_client_get_wait_i64(channel.client, id, &number, FOREVER), -ESTALE);
        done(&clearing);
        EXPECT(rr_client_get_i64(channel.client, id, &number), -ESTALE);
        expect_int_works(&channel);
    }
    close_pair(&channel);
}

static void any_of_several_numbers_can_be_waited_for(void)
{
    pair channel = open_int_pair(3);
    uint64_t ids[3];
    for (int k = 0; k < 3; k++)
        ids[k] = send_number(channel.client, k);
    EXPECT(rr_client_wait_any(channel.client, ids, 3, within(0)), -EAGAIN);
    for (int k = 0; k < 3; k++)
        take_number(channel.server, k);
    reply_number(channel.server, ids[1], 10);
    EXPECT(rr_client_wait_any(channel.client, ids, 3, NULL), 1);
    collect_number(channel.client, ids[1], 10);
    EXPECT(rr_client_wait_any(channel.client, ids, 3, within(0)), -ESTALE);
    close_pair(&channel);
}

static void clearing_drops_what_is_queued_and_refuses_what_is_held(void)
{
    pair channel = open_int_pair(3);
    int64_t number;
    rr_request request;
    uint64_t held = send_number(channel.client, 1);
    take_number(channel.server, 1);
    uint64_t replied = send_number(channel.client, 2);
    reply_number(channel.server, take_number(channel.server, 2), 20);
    send_number(channel.client, 3);
    EXPECT(rr_channel_clear(rr_server_channel(channel.server)), 2);
    EXPECT(rr_recv_i64(channel.server, &number, &request), -EAGAIN);
    EXPECT(rr_reply_i64(channel.server, held, 10), -ESTALE);
    collect_number(channel.client, replied, 20);
    EXPECT(rr_client_pending(channel.client), 0);
    expect_int_works(&channel);
    close_pair(&channel);
}

static void a_number_whose_server_died_is_free_again(void)
{
    pair channel = open_int_pair(1);
    int64_t number;
    for (int k = 0; k < 3; k++) {
        uint64_t id = send_number(channel.client, k);
        kill_and_reap(doomed_after(take_next_number, channel.server));
        EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 1);
        EXPECT(rr_client_get_i64(channel.client, id, &number), -EOWNERDEAD);
        expect_int_works(&channel);
    }
    close_pair(&channel);
}

int main(void)
{
    RUN(an_id_is_good_once_and_for_its_handle_only);
    RUN(a_null_pointer_is_einval_and_takes_nothing);
    RUN(a_whole_request_tells_how_it_ended_and_leaves_nothing);
    RUN(a_wait_tells_how_its_request_ended_once);
    RUN(get_tells_how_its_request_ended_once);
    RUN(a_request_that_was_let_go_of_is_stale_to_its_server);
    RUN(the_text_of_an_error_reply_has_104_bytes_at_most);
    RUN(requests_are_counted_and_withdrawn);
    RUN(who_waits_hears_of_a_clear);
    RUN(any_of_several_numbers_can_be_waited_for);
    RUN(clearing_drops_what_is_queued_and_refuses_what_is_held);
    RUN(a_number_whose_server_died_is_free_again);
    return 0;
}
