/* A victim that calls. */
#ifndef SHMRR_HOSTILE_CLIENT_H
#define SHMRR_HOSTILE_CLIENT_H

#include "common.h"

#define LOANS 4

/* What the present handle lent; those whose data is null have ended. */
static rr_buffer loans[LOANS];

static inline void request_and_wait(rr_client *client)
{
    size_t length = some_length(request_max + 1), capacity = some_length(response_max);
    received(WATCH(rr_client_req, TIMEOUT, client, last(&outgoing, length), length, last(&incoming, capacity), capacity,
                   some_timeout()),
             capacity);
}

static inline void send_message(rr_client *client, const void *data, size_t length, uint64_t *id)
{
    const rr_msg msg = some_msg(data, length);
    WATCH(rr_client_send_msg, TIMEOUT, client, &msg, id, within(some_timeout()));
}

static inline void post_message(rr_client *client, const void *data, size_t length)
{
    const rr_msg msg = some_msg(data, length);
    WATCH(rr_client_post_msg, TIMEOUT, client, &msg, within(some_timeout()));
}

static inline void send_one(rr_client *client)
{
    size_t length = some_length(request_max);
    void *data = last(&outgoing, length);
    uint64_t *id = next_id();
    switch (below(5)) {
    case 0:
        WATCH(rr_client_send, AT_ONCE, client, data, length, id);
        break;
    case 1:
        WATCH(rr_client_send_wait, TIMEOUT, client, data, length, id, some_timeout());
        break;
    case 2:
        send_message(client, data, length, id);
        break;
    case 3:
        post_message(client, data, length);
        break;
    default:
        WATCH(rr_client_post, TIMEOUT, client, data, length, some_timeout());
        break;
    }
}

static inline void send_in_place(rr_client *client)
{
    rr_buffer *loan = &loans[below(LOANS)];
    if (!loan->data) {
        const rr_buffer fresh = RR_BUFFER_INIT;
        *loan = fresh;
        if (WATCH(rr_client_loan, TIMEOUT, client, loan, within(some_timeout())) == 0)
            write_all(loan->data, loan->capacity, request_max);
        return;
    }
    write_all(loan->data, loan->capacity, request_max);
    rr_buffer before = *loan;
    int ended;
    if (below(4)) {
        loan->length = some_length(request_max + 1);
        loan->msg_type = some_type();
        loan->flags = some_flags();
        int64_t result = WATCH(rr_client_commit, AT_ONCE, client, loan, next_id());
        ended = result != -EMSGSIZE && result != -EINVAL && result != -ECONNREFUSED;
    } else {
        WATCH(rr_client_abort, AT_ONCE, client, loan);
        ended = 1;
    }
    if (!ended)
        return;
    /* Once more, though it has ended; and then it is forgotten. */
    if (below(2))
        WATCH(rr_client_abort, AT_ONCE, client, &before);
    else
        WATCH(rr_client_commit, AT_ONCE, client, &before, next_id());
    memset(loan, 0, sizeof *loan);
}

static inline void collect_one(rr_client *client)
{
    size_t capacity = some_length(response_max);
    void *buffer = last(&incoming, capacity);
    if (below(2))
        received(WATCH(rr_client_get, AT_ONCE, client, some_id(), buffer, capacity), capacity);
    else
        received(WATCH(rr_client_get_wait, TIMEOUT, client, some_id(), buffer, capacity, some_timeout()), capacity);
}

static inline void collect_in_place(rr_client *client)
{
    uint64_t id = some_id();
    rr_view view;
    int64_t result = WATCH(rr_client_view, TIMEOUT, client, id, &view, NULL, within(some_timeout()));
    if (result >= 0) {
        CHECK(view.length == (size_t)result && view.length <= response_max && view.id == id);
        read_all(view.data, view.length, view.flags);
    }
    if (below(4))
        WATCH(rr_client_release, AT_ONCE, client, result >= 0 ? id : some_id());
}

static inline void wait_for_any(rr_client *client)
{
    uint64_t some[IDS];
    size_t count = below(IDS + 1);
    for (size_t at = 0; at < count; at++)
        some[at] = below(4) ? some_id() : 0;
    int64_t index = WATCH(rr_client_wait_any, TIMEOUT, client, some, count, within(some_timeout()));
    CHECK(index < (int64_t)count && (index < 0 || some[index] != 0));
}

static inline void sort_done(rr_client *client)
{
    uint64_t some[IDS];
    size_t count = below(IDS + 1);
    for (size_t at = 0; at < count; at++)
        some[at] = below(4) ? some_id() : 0;
    int64_t done = WATCH(rr_client_done, AT_ONCE, client, some, count);
    CHECK(done >= 0 && done <= (int64_t)count);
    for (int64_t at = 0; at < done; at++)
        CHECK(some[at] != 0);
}

/* A result whose text lies at the end of what may be written; the reply itself has no room. */
static inline void collect_result(rr_client *client)
{
    size_t capacity = below(TEXT_MAX);
    rr_result result = result_with((char *)last(&incoming, capacity), capacity);
    const rr_msg msg = some_msg(NULL, 0);
    rr_view view;
    int64_t found;
    switch (below(3)) {
    case 0:
        found = WATCH(rr_client_req_msg, TIMEOUT, client, &msg, NULL, 0, &result, within(some_timeout()));
        break;
    case 1:
        found = WATCH(rr_client_get_msg, TIMEOUT, client, some_id(), NULL, 0, &result, within(some_timeout()));
        break;
    default:
        found = WATCH(rr_client_view, TIMEOUT, client, some_id(), &view, &result, within(some_timeout()));
        break;
    }
    CHECK((result.flags & RR_MSG_ERROR) ? found == -EREMOTEIO : result.length <= response_max);
    CHECK(result.text_length <= (response_max > 104 ? response_max : 104));
    CHECK(found != -EOVERFLOW || result.length > 0);
    if (result.id != 0)
        *next_id() = result.id;
    check_and_restore(&incoming, capacity);
}

/* As an event loop does. */
static inline void arm_client(rr_client *client)
{
    static const uint32_t what[] = {RR_ARM_REPLY, RR_ARM_SLOT, RR_ARM_REPLY | RR_ARM_SLOT};
    CHECK(WATCH(rr_client_poll_fd, AT_ONCE, client) > 2);
    WATCH(rr_client_arm, AT_ONCE, client, what[below(LENGTH(what))]);
}

/* In a channel of bytes. */
static inline void call_with_numbers(rr_client *client)
{
    int64_t value;
    uint64_t id;
    CHECK(WATCH(rr_client_req_i64, TIMEOUT, client, 1, &value, TIMEOUT) == -EINVAL);
    CHECK(WATCH(rr_client_send_i64, AT_ONCE, client, 1, &id) == -EINVAL);
    CHECK(WATCH(rr_client_send_wait_i64, TIMEOUT, client, 1, &id, TIMEOUT) == -EINVAL);
    CHECK(WATCH(rr_client_post_i64, TIMEOUT, client, 1, TIMEOUT) == -EINVAL);
    CHECK(WATCH(rr_client_get_i64, AT_ONCE, client, some_id(), &value) == -EINVAL);
    CHECK(WATCH(rr_client_get_wait_i64, TIMEOUT, client, some_id(), &value, TIMEOUT) == -EINVAL);
}

static inline void client_step(rr_client *client)
{
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
        request_and_wait(client);
        break;
    case 3:
    case 4:
        send_one(client);
        break;
    case 5:
    case 6:
        send_in_place(client);
        break;
    case 7:
        collect_one(client);
        break;
    case 8:
        collect_in_place(client);
        break;
    case 9:
        wait_for_any(client);
        break;
    case 10:
        if (below(2))
            wait_for_any(client);
        else
            sort_done(client);
        break;
    case 11:
        if (below(2))
            WATCH(rr_client_cancel, AT_ONCE, client, some_id());
        else
            WATCH(rr_client_detach, AT_ONCE, client, some_id());
        break;
    case 12:
        CHECK(WATCH(rr_client_pending, AT_ONCE, client) <= total_slots);
        break;
    case 13:
        collect_result(client);
        break;
    case 14:
        if (below(4) == 0)
            call_with_numbers(client);
        else
            arm_client(client);
        break;
    default:
        if (below(8) == 0)
            CHECK(WATCH(rr_client_interrupt, AT_ONCE, client) == 0);
        if (below(4) == 0)
            CHECK(WATCH(rr_client_wake, AT_ONCE, client) == 0);
        ask_channel(rr_client_channel(client));
        break;
    }
}

static inline void be_client(void)
{
    rr_client *client = NULL;
    for (;;) {
        EXPECT(rr_client_new(channel, NULL, &client, NULL), 0);
        extent where = mapping_of(rr_channel_fd(rr_client_channel(client)));
        if (lies_alone(where))
            break;
        rr_client_free(client);
        spoil(where);
    }
    learn(rr_client_channel(client));
    outgoing = new_guarded(request_max + 1);
    incoming = new_guarded(response_max + TEXT_MAX);
    begin();
    while (goes_on()) {
        client_step(client);
        if (below(LIFE) > 0)
            continue;
        WATCH_VOID(rr_client_free, AT_ONCE, client);
        memset(loans, 0, sizeof loans);
        rr_options options = some_options(RR_KIND_BYTES);
        while (WATCH(rr_client_new, AT_ONCE, channel, &options, &client, NULL) != 0 && goes_on())
            continue;
        if (!client)
            return;
        learn(rr_client_channel(client));
    }
    CHECK(WATCH(rr_client_stop, AT_ONCE, client) == 0);
    EXPECT(WATCH(rr_client_req, AT_ONCE, client, NULL, 0, NULL, 0, TIMEOUT), -ESHUTDOWN);
    rr_client_free(client);
}

#endif
