/*
 * Short ways to call what takes structures: a wait, a message, a buffer.
 *
 * Programs that include this compile as C11 and as C++17.
 */
#ifndef SHMRR_FORMS_H
#define SHMRR_FORMS_H

#include "shmrr.h"

/* A wait of so long; this thread's next three calls leave it as it is. */
static inline const rr_wait *within(int64_t timeout_ns)
{
    static __thread rr_wait waits[4];
    static __thread unsigned used;
    const rr_wait fresh = RR_WAIT_INIT;
    rr_wait *wait = &waits[used++ % 4];
    *wait = fresh;
    wait->timeout_ns = timeout_ns;
    return wait;
}

static inline rr_msg msg_of(const void *data, size_t length, uint32_t msg_type, uint32_t flags)
{
    rr_msg msg = RR_MSG_INIT;
    msg.data = data;
    msg.length = length;
    msg.msg_type = msg_type;
    msg.flags = flags;
    return msg;
}

/* A result whose error text is stored there. */
static inline rr_result result_with(char *text, size_t text_cap)
{
    rr_result result = RR_RESULT_INIT;
    result.text = text;
    result.text_cap = text_cap;
    return result;
}

static inline int send_labelled(rr_client *client, const void *data, size_t length, uint32_t msg_type, uint32_t flags,
                                uint64_t *id, int64_t timeout_ns)
{
    const rr_msg msg = msg_of(data, length, msg_type, flags);
    return rr_client_send_msg(client, &msg, id, within(timeout_ns));
}

static inline int reply_labelled(rr_server *server, uint64_t id, const void *data, size_t length, uint32_t msg_type,
                                 uint32_t flags)
{
    const rr_msg msg = msg_of(data, length, msg_type, flags);
    return rr_reply_msg(server, id, &msg);
}

static inline int commit_loan(rr_client *client, rr_buffer *loan, size_t length, uint64_t *id)
{
    if (loan)
        loan->length = length;
    return rr_client_commit(client, loan, id);
}

static inline int loan_reply(rr_server *server, uint64_t id, void **data, size_t *capacity)
{
    rr_buffer buffer = RR_BUFFER_INIT;
    int code = rr_reply_loan(server, id, &buffer);
    if (code == 0) {
        *data = buffer.data;
        *capacity = buffer.capacity;
    }
    return code;
}

/* What matters of a buffer is whose reply it holds. */
static inline int commit_reply(rr_server *server, uint64_t id, size_t length, uint32_t msg_type, uint32_t flags)
{
    rr_buffer buffer = RR_BUFFER_INIT;
    buffer.id = id;
    buffer.length = length;
    buffer.msg_type = msg_type;
    buffer.flags = flags;
    return rr_reply_commit(server, &buffer);
}

#endif
