/*
 * A victim: calls every function of one role at random, on a channel that somebody else overwrites meanwhile, until its
 * time is over. It ends with status 0 if no call went past its deadline, wrote outside the buffer it was given, or
 * returned what include/shmrr.h does not document for it; and says how often each call ended how.
 *
 * victim ROLE CHANNEL SECONDS SEED DIRECTORY. The directory holds the file codes, as watch.h reads it. When the victim
 * is ready it makes the file ready-SEED there, and begins when there is one called go.
 */
#include "guard.h"
#include "watch.h"

#define TIMEOUT (20 * MS)
/* For calls without a deadline. */
#define AT_ONCE INT64_C(0)
#define IDS 16
/* Steps after which a handle is exchanged, about: what it once read of the cursors, it never forgets. */
#define LIFE 40
#define TEXT_MAX 300

static const char *channel, *directory;
static int64_t lifetime, over_at;
static uint64_t seed, state;

static uint64_t below(uint64_t bound)
{
    /* splitmix64, as tests/support/payload.rs. */
    state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (mixed ^ mixed >> 31) % bound;
}

static int goes_on(void)
{
    return watch_now() < over_at;
}

static const char *in_directory(const char *name, uint64_t number)
{
    static char path[512];
    CHECK(snprintf(path, sizeof path, "%s/%s%.0" PRIu64, directory, name, number) < (int)sizeof path);
    return path;
}

static void begin(void)
{
    int ready = open(in_directory("ready-", seed), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(ready >= 0);
    close(ready);
    while (access(in_directory("go", 0), F_OK) != 0)
        usleep(1000);
    over_at = watch_now() + lifetime;
}

/* What the channel's creator chose, as the library's private copy says. */
static size_t request_max, response_max;
static int64_t total_slots;
/* What calls read from and write to. */
static guarded outgoing, incoming;
static uint64_t ids[IDS];

static int64_t some_timeout(void)
{
    return below(4) == 0 ? 0 : TIMEOUT;
}

/* A capacity or length up to a limit: often as large as can be, sometimes none. */
static size_t some_length(size_t most)
{
    switch (below(6)) {
    case 0:
        return 0;
    case 1:
    case 2:
        return most;
    default:
        return below(most + 1);
    }
}

/* Mostly an id that was handed out, now and then one that may never have been. */
static uint64_t some_id(void)
{
    uint64_t id = ids[below(IDS)];
    switch (below(8)) {
    case 0:
        return id ^ UINT64_C(1) << below(64);
    case 1:
        return below(UINT64_MAX);
    default:
        return id;
    }
}

static void received(int64_t result, size_t capacity)
{
    CHECK(result < 0 || (uint64_t)result <= capacity);
    check_and_restore(&incoming, capacity);
}

/* ---- what both kinds of handle do ---- */

static void learn(const rr_channel *channel)
{
    request_max = (size_t)rr_channel_request_max(channel);
    response_max = (size_t)rr_channel_response_max(channel);
    int64_t slots = rr_channel_slots(channel);
    int64_t spares = slots / 4 < 4 ? 4 : slots / 4 > 64 ? 64 : slots / 4;
    total_slots = slots + spares;
}

static void ask_channel(const rr_channel *channel)
{
    rr_stats stats = RR_STATS_INIT;
    switch (below(4)) {
    case 0:
        WATCH(rr_channel_stats, AT_ONCE, channel, &stats);
        CHECK(stats.in_flight <= total_slots && stats.queued <= total_slots && stats.free <= stats.slots);
        break;
    case 1:
        CHECK(WATCH(rr_channel_queued, AT_ONCE, channel) <= total_slots);
        break;
    case 2:
        CHECK(WATCH(rr_channel_recover, AT_ONCE, channel) <= 4095);
        break;
    default:
        CHECK((size_t)rr_channel_request_max(channel) == request_max);
        CHECK((size_t)rr_channel_response_max(channel) == response_max);
        break;
    }
}

/* ---- a client ---- */

static void request_and_wait(rr_client *client)
{
    size_t length = some_length(request_max + 1), capacity = some_length(response_max);
    received(WATCH(rr_client_req, TIMEOUT, client, last(&outgoing, length), length, last(&incoming, capacity), capacity,
                   some_timeout()),
             capacity);
}

static void send_one(rr_client *client)
{
    size_t length = some_length(request_max);
    void *data = last(&outgoing, length);
    uint64_t *id = &ids[below(IDS)];
    if (below(2))
        WATCH(rr_client_send, AT_ONCE, client, data, length, id);
    else
        WATCH(rr_client_send_wait, TIMEOUT, client, data, length, some_timeout(), id);
}

static void collect_one(rr_client *client)
{
    size_t capacity = some_length(response_max);
    void *buffer = last(&incoming, capacity);
    if (below(2))
        received(WATCH(rr_client_get, AT_ONCE, client, some_id(), buffer, capacity), capacity);
    else
        received(WATCH(rr_client_get_wait, TIMEOUT, client, some_id(), buffer, capacity, some_timeout()), capacity);
}

static void ask_for_error(rr_client *client)
{
    size_t capacity = below(TEXT_MAX);
    int code;
    WATCH(rr_client_remote_error, AT_ONCE, client, below(2) ? 0 : some_id(), &code, (char *)last(&incoming, capacity),
          capacity);
    check_and_restore(&incoming, capacity);
}

static void client_step(rr_client *client)
{
    switch (below(12)) {
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
        collect_one(client);
        break;
    case 7:
    case 8:
        WATCH(rr_client_cancel, AT_ONCE, client, some_id());
        break;
    case 9:
        CHECK(WATCH(rr_client_pending, AT_ONCE, client) <= total_slots);
        break;
    case 10:
        ask_for_error(client);
        break;
    default:
        ask_channel(rr_client_channel(client));
        break;
    }
}

static void be_client(void)
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
        rr_client_free(client);
        while (WATCH(rr_client_new, AT_ONCE, channel, NULL, &client, NULL) != 0 && goes_on())
            continue;
        if (!client)
            return;
    }
    CHECK(rr_client_stop(client) == 0);
    EXPECT(WATCH(rr_client_req, AT_ONCE, client, NULL, 0, NULL, 0, TIMEOUT), -ESHUTDOWN);
    rr_client_free(client);
}

/* ---- a server ---- */

static void receive_one(rr_server *server)
{
    size_t capacity = some_length(request_max);
    void *buffer = last(&incoming, capacity);
    rr_request request = {0, 0, 0, 0, 0, 0};
    int64_t result = below(3) ? WATCH(rr_recv_wait, TIMEOUT, server, buffer, capacity, &request, some_timeout())
                              : WATCH(rr_recv, AT_ONCE, server, buffer, capacity, &request);
    received(result, capacity);
    if (result >= 0) {
        CHECK(request.length == (uint64_t)result);
        ids[below(IDS)] = request.id;
    }
    if (result == -EMSGSIZE)
        CHECK(request.length > capacity && request.length <= request_max);
}

static void reply_with_error(rr_server *server)
{
    size_t length = below(TEXT_MAX);
    char *text = (char *)last(&outgoing, length + 1);
    text[length] = '\0';
    WATCH(rr_reply_error, AT_ONCE, server, some_id(), (int)below(1 << 20), text);
    check_and_restore(&outgoing, length + 1);
}

static void server_step(rr_server *server)
{
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        receive_one(server);
        break;
    case 3:
    case 4:
    case 5: {
        size_t length = some_length(response_max + 1);
        WATCH(rr_reply, AT_ONCE, server, some_id(), last(&outgoing, length), length);
        break;
    }
    case 6:
        reply_with_error(server);
        break;
    default:
        ask_channel(rr_server_channel(server));
        break;
    }
}

static void be_server(void)
{
    rr_server *server = NULL;
    for (;;) {
        EXPECT(rr_server_new(channel, NULL, &server, NULL), 0);
        extent where = mapping_of(rr_channel_fd(rr_server_channel(server)));
        if (lies_alone(where))
            break;
        rr_server_free(server);
        spoil(where);
    }
    learn(rr_server_channel(server));
    outgoing = new_guarded(response_max + TEXT_MAX);
    incoming = new_guarded(request_max);
    begin();
    while (goes_on()) {
        server_step(server);
        if (below(LIFE) > 0)
            continue;
        rr_server_free(server);
        while (WATCH(rr_server_new, AT_ONCE, channel, NULL, &server, NULL) != 0 && goes_on())
            continue;
        if (!server)
            return;
    }
    CHECK(rr_server_stop(server) == 0);
    rr_request request;
    EXPECT(WATCH(rr_recv_wait, AT_ONCE, server, NULL, 0, &request, TIMEOUT), -ESHUTDOWN);
    rr_server_free(server);
}

/* ---- one who comes and goes ---- */

static void check_message(const rr_error *error, int result)
{
    CHECK(error->code == result);
    CHECK((result == 0) == (error->message[0] == '\0'));
}

static void be_guest(void)
{
    rr_client *resident = NULL;
    EXPECT(rr_client_new(channel, NULL, &resident, NULL), 0);
    int fd = rr_channel_fd(rr_client_channel(resident));
    outgoing = new_guarded(1);
    incoming = new_guarded(1);
    begin();
    while (goes_on()) {
        rr_error error;
        rr_client *client = NULL;
        rr_server *server = NULL;
        int result = below(2) ? (int)WATCH(rr_client_new, AT_ONCE, channel, NULL, &client, &error)
                              : (int)WATCH(rr_client_from_fd, AT_ONCE, fd, NULL, &client, &error);
        check_message(&error, result);
        result = below(2) ? (int)WATCH(rr_server_new, AT_ONCE, channel, NULL, &server, &error)
                          : (int)WATCH(rr_server_from_fd, AT_ONCE, fd, NULL, &server, &error);
        check_message(&error, result);
        if (client)
            WATCH(rr_client_req, MS, client, last(&outgoing, 1), 1, last(&incoming, 1), 1, MS);
        rr_request request;
        if (server)
            WATCH(rr_recv, AT_ONCE, server, last(&incoming, 1), 1, &request);
        rr_client_free(client);
        rr_server_free(server);
    }
    rr_client_free(resident);
}

int main(int arguments, char **argument)
{
    CHECK(arguments == 6);
    const char *role = argument[1];
    channel = argument[2];
    lifetime = atoi(argument[3]) * 1000 * MS;
    seed = state = strtoull(argument[4], NULL, 10);
    directory = argument[5];
    watch_read(in_directory("codes", 0));
    check_running(role);
    if (strcmp(role, "client") == 0)
        be_client();
    else if (strcmp(role, "server") == 0)
        be_server();
    else
        be_guest();
    watch_report();
    return 0;
}
