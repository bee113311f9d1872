/*
 * A victim: calls every function of one role at random, on a channel that somebody else overwrites meanwhile, until
 * its time is over. It ends with status 0 if no call went past its deadline, wrote outside the buffer it was given,
 * told of bytes outside the channel, or returned what include/shmrr.h does not document for it; and says how often
 * each call ended how.
 *
 * victim ROLE CHANNEL SECONDS SEED DIRECTORY ALLOWANCE. The directory holds the file codes, as watch.h reads it. When the
 * victim is ready it makes the file ready-SEED there, and begins when there is one called go. The allowance is what a
 * call may take beyond its deadline, in milliseconds.
 */
#include "client.h"
#include "numbers.h"
#include "server.h"

/* ---- one who comes and goes ---- */

static void check_message(const rr_error *error, int result)
{
    CHECK(error->code == result);
    CHECK((result == 0) == (error->message[0] == '\0'));
}

/* What needs no channel that others have, or must not have it. */
static void call_the_rest(void)
{
    rr_options options;
    EXPECT(WATCH(rr_options_init, AT_ONCE, &options, sizeof options), 0);
    rr_stats stats;
    EXPECT(WATCH(rr_stats_init, AT_ONCE, &stats, sizeof stats), 0);
    CHECK(WATCH_BARE(rr_abi_version, AT_ONCE) >= 0);
    rr_error error;
    rr_server *own = NULL;
    EXPECT(WATCH(rr_server_new_memfd, AT_ONCE, "victim", &options, &own, &error), 0);
    EXPECT(WATCH(rr_channel_unlink, AT_ONCE, rr_server_channel(own)), -EINVAL);
    rr_server_free(own);
    CHECK(WATCH(rr_unlink, AT_ONCE, in_directory("nothing", 0)) < 0);
}

static void be_guest(void)
{
    rr_client *resident = NULL;
    EXPECT(rr_client_new(channel, NULL, &resident, NULL), 0);
    learn(rr_client_channel(resident));
    int fd = rr_channel_fd(rr_client_channel(resident));
    outgoing = new_guarded(1);
    incoming = new_guarded(1);
    begin();
    while (goes_on()) {
        rr_error error;
        rr_client *client = NULL, *third = NULL;
        rr_server *server = NULL;
        int result = below(2) ? (int)WATCH(rr_client_new, AT_ONCE, channel, NULL, &client, &error)
                              : (int)WATCH(rr_client_from_fd, AT_ONCE, fd, NULL, &client, &error);
        check_message(&error, result);
        result = below(2) ? (int)WATCH(rr_server_new, AT_ONCE, channel, NULL, &server, &error)
                          : (int)WATCH(rr_server_from_fd, AT_ONCE, fd, NULL, &server, &error);
        check_message(&error, result);
        if (server && below(4) == 0) {
            result = (int)WATCH(rr_client_from_server, AT_ONCE, server, NULL, &third, &error);
            check_message(&error, result);
        }
        if (client)
            WATCH(rr_client_req, MS, client, last(&outgoing, 1), 1, last(&incoming, 1), 1, MS);
        rr_request request;
        if (server)
            WATCH(rr_recv, AT_ONCE, server, last(&incoming, 1), 1, &request);
        WATCH_VOID(rr_client_free, AT_ONCE, client);
        WATCH_VOID(rr_server_free, AT_ONCE, server);
        rr_client_free(third);
        ask_channel(rr_client_channel(resident));
        if (below(16) == 0)
            call_the_rest();
    }
    rr_client_free(resident);
}

int main(int arguments, char **argument)
{
    static const struct {
        const char *name;
        void (*be)(void);
    } roles[] = {{"client", be_client}, {"server", be_server}, {"guest", be_guest}, {"number", be_number}};
    CHECK(arguments == 7);
    const char *role = argument[1];
    channel = argument[2];
    lifetime = atoi(argument[3]) * 1000 * MS;
    seed = state = strtoull(argument[4], NULL, 10);
    directory = argument[5];
    watch_allowance = atoi(argument[6]) * MS;
    watch_read(in_directory("codes", 0));
    check_running(role);
    int found = 0;
    for (size_t at = 0; at < LENGTH(roles); at++)
        if (strcmp(role, roles[at].name) == 0) {
            found = 1;
            roles[at].be();
        }
    CHECK(found);
    watch_report();
    return 0;
}
