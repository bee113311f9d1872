/*
 * Somebody overwrites the channel's memory while others work. Here it is this program, by the offsets of docs/FORMAT.md:
 * what no process that keeps to the format can have written is -EPROTO, and the channel goes on when it is gone.
 */
#include "integers.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define TAIL_HINT 256
#define REPLY_LINE 128
#define LENGTH_FIELD 8
#define CELLS 64

/* A second mapping of a channel, and where its ring and its first slot are. */
typedef struct memory {
    unsigned char *bytes;
    size_t length, ring, slots, stride;
} memory;

static uint64_t read_u64(const memory *of, size_t offset)
{
    uint64_t value;
    memcpy(&value, of->bytes + offset, sizeof value);
    return value;
}

static void write_u64(const memory *of, size_t offset, uint64_t value)
{
    memcpy(of->bytes + offset, &value, sizeof value);
}

static void write_u32(const memory *of, size_t offset, uint32_t value)
{
    memcpy(of->bytes + offset, &value, sizeof value);
}

static memory map_memory(rr_channel *channel)
{
    struct stat file;
    CHECK(fstat(rr_channel_fd(channel), &file) == 0);
    memory mapped = {NULL, (size_t)file.st_size, 0, 0, 0};
    void *at = mmap(NULL, mapped.length, PROT_READ | PROT_WRITE, MAP_SHARED, rr_channel_fd(channel), 0);
    CHECK(at != MAP_FAILED);
    mapped.bytes = (unsigned char *)at;
    mapped.ring = read_u64(&mapped, 80);
    mapped.slots = read_u64(&mapped, 88);
    mapped.stride = read_u64(&mapped, 96);
    CHECK(mapped.slots - mapped.ring == CELLS * sizeof(uint64_t));
    return mapped;
}

static void unmap_memory(const memory *mapped)
{
    CHECK(munmap(mapped->bytes, mapped->length) == 0);
}

static size_t line_of(const memory *mapped, uint64_t id)
{
    return mapped->slots + mapped->stride * (id & 0xFFFF);
}

static uint64_t ask_and_be_told(const pair *channel)
{
    uint64_t id = send_text(channel->client, "asked");
    reply_text(channel->server, take_text(channel->server, "asked"), "told");
    return id;
}

static void replies_longer_than_the_channel_allows_are_eproto_and_used_up(void)
{
    pair channel = open_pair(1);
    memory mapped = map_memory(rr_client_channel(channel.client));
    static char buffer[8192];
    rr_view view;
    const uint32_t lengths[] = {4097, UINT32_MAX};
    for (size_t k = 0; k < LENGTH(lengths); k++)
        for (int way = 0; way < 3; way++) {
            uint64_t id = ask_and_be_told(&channel);
            write_u32(&mapped, line_of(&mapped, id) + REPLY_LINE + LENGTH_FIELD, lengths[k]);
            if (way == 0)
                EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -EPROTO);
            else if (way == 1)
                EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER), -EPROTO);
            else
                EXPECT(rr_client_view(channel.client, id, &view, NULL, NULL), -EPROTO);
            EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -ESTALE);
            EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 0);
        }
    expect_works(&channel);
    unmap_memory(&mapped);
    close_pair(&channel);
}

static void numbers_that_are_not_eight_bytes_long_are_eproto(void)
{
    pair channel = open_int_pair(1);
    memory mapped = map_memory(rr_client_channel(channel.client));
    const uint32_t lengths[] = {0, 7};
    for (size_t k = 0; k < LENGTH(lengths); k++)
        for (int waits = 0; waits < 2; waits++) {
            int64_t number;
            rr_request request;
            uint64_t id = send_number(channel.client, 7);
            write_u32(&mapped, line_of(&mapped, id) + LENGTH_FIELD, lengths[k]);
            if (waits)
                EXPECT(rr_recv_wait_i64(channel.server, &number, &request, FOREVER), -EPROTO);
            else
                EXPECT(rr_recv_i64(channel.server, &number, &request), -EPROTO);
            EXPECT(rr_client_get_i64(channel.client, id, &number), -ENOMSG);

            id = send_number(channel.client, 7);
            reply_number(channel.server, take_number(channel.server, 7), 70);
            write_u32(&mapped, line_of(&mapped, id) + REPLY_LINE + LENGTH_FIELD, lengths[k]);
            if (waits)
                EXPECT(rr_client_get_wait_i64(channel.client, id, &number, FOREVER), -EPROTO);
            else
                EXPECT(rr_client_get_i64(channel.client, id, &number), -EPROTO);
            EXPECT(rr_client_get_i64(channel.client, id, &number), -ESTALE);
        }
    EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 0);
    unmap_memory(&mapped);
    close_pair(&channel);
}

/* Its client learns it as if the server had died with it; servers never see it. */
static void requests_longer_than_the_channel_allows_reach_no_server(void)
{
    pair channel = open_pair(2);
    memory mapped = map_memory(rr_client_channel(channel.client));
    static char buffer[8192];
    rr_request request;
    rr_view view;
    for (int way = 0; way < 3; way++) {
        uint64_t id = send_text(channel.client, "asked");
        uint64_t next = send_text(channel.client, "next");
        write_u32(&mapped, line_of(&mapped, id) + LENGTH_FIELD, 4097);
        if (way == 0) {
            EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, FOREVER), 4);
            view.id = request.id;
        } else if (way == 1)
            EXPECT(rr_recv_view(channel.server, &view, NULL), 4);
        else
            EXPECT(rr_recv_batch(channel.server, &view, sizeof(rr_view), 1, NULL), 1);
        CHECK(view.id == next);
        EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -EOWNERDEAD);
        reply_text(channel.server, next, "told");
        collect_text(channel.client, next, "told");
    }
    unmap_memory(&mapped);
    close_pair(&channel);
}

/*
 * Fills the whole ring, at its second lap, with references to one request that waits: producers walk round and round to
 * carry them on, and find no place for their own.
 */
static void obstruct(const memory *mapped, uint64_t id)
{
    for (size_t cell = 0; cell < CELLS; cell++)
        write_u64(mapped, mapped->ring + 8 * cell, UINT64_C(1) << 32 | (id >> 16 & 0xFFFF) << 16 | (id & 0xFFFF));
    write_u64(mapped, TAIL_HINT, CELLS);
}

static int send_somehow(int way, const pair *channel, uint64_t *id)
{
    char buffer[8];
    rr_buffer loan = RR_BUFFER_INIT;
    switch (way) {
    case 0:
        return rr_client_send(channel->client, "", 0, id);
    case 1:
        return rr_client_send_wait(channel->client, "", 0, id, FOREVER);
    case 2:
        return send_labelled(channel->client, "", 0, 128, RR_MSG_UTF8, id, FOREVER);
    case 3:
        return (int)rr_client_req(channel->client, "", 0, buffer, sizeof buffer, FOREVER);
    default:
        EXPECT(rr_client_loan(channel->client, &loan, NULL), 0);
        return commit_loan(channel->client, &loan, 0, id);
    }
}

static void where_a_request_finds_no_place_in_the_order_sending_is_eproto_and_nothing_stays_pending(void)
{
    for (int way = 0; way < 5; way++) {
        pair channel = open_pair(2);
        memory mapped = map_memory(rr_client_channel(channel.client));
        uint64_t waits = send_text(channel.client, "waits"), id;
        obstruct(&mapped, waits);
        EXPECT(send_somehow(way, &channel, &id), -EPROTO);
        EXPECT(rr_client_pending(channel.client), 1);
        EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 1);
        /* What clogged the ring is taken, and it goes on. */
        reply_text(channel.server, take_text(channel.server, "waits"), "told");
        expect_none_queued(channel.server);
        collect_text(channel.client, waits, "told");
        expect_works(&channel);
        unmap_memory(&mapped);
        close_pair(&channel);
    }
}

static void so_it_is_with_one_way_messages(void)
{
    pair channel = open_pair(2);
    memory mapped = map_memory(rr_client_channel(channel.client));
    uint64_t waits = send_text(channel.client, "waits");
    obstruct(&mapped, waits);
    EXPECT(rr_client_post(channel.client, "", 0, FOREVER), -EPROTO);
    EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 1);
    unmap_memory(&mapped);
    close_pair(&channel);
}

static void so_it_is_with_numbers(void)
{
    pair channel = open_int_pair(2);
    memory mapped = map_memory(rr_client_channel(channel.client));
    uint64_t waits = send_number(channel.client, 7), id;
    int64_t number;
    obstruct(&mapped, waits);
    EXPECT(rr_client_send_i64(channel.client, 8, &id), -EPROTO);
    EXPECT(rr_client_req_i64(channel.client, 8, &number, FOREVER), -EPROTO);
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 1);
    unmap_memory(&mapped);
    close_pair(&channel);
}

int main(void)
{
    RUN(replies_longer_than_the_channel_allows_are_eproto_and_used_up);
    RUN(numbers_that_are_not_eight_bytes_long_are_eproto);
    RUN(requests_longer_than_the_channel_allows_reach_no_server);
    RUN(where_a_request_finds_no_place_in_the_order_sending_is_eproto_and_nothing_stays_pending);
    RUN(so_it_is_with_numbers);
    RUN(so_it_is_with_one_way_messages);
    return 0;
}
