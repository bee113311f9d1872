/*
 * checksum_client CHANNEL DIRECTORY: the client of checksum_client.c in C++17, over the same C header. It walks the
 * directory, sends every regular file in chunks of up to 64 KiB to the servers of the channel (an empty file as one
 * empty chunk) and compares each CRC-32C that comes back, four bytes with the least significant first, with its own.
 * Symbolic links are not followed; what can't be read is reported and skipped. A request whose server died is sent
 * again.
 *
 * On standard output, `progress` lines while it runs, five a second at most, and one `done` line at the end, both of
 * name=value pairs; times in nanoseconds. Exit status: 0 all equal, 1 a mismatch or an error, 2 wrong usage,
 * 128 + N ended by signal N.
 */
#include "crc32c.h"
#include "shmrr.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::size_t chunk_max = 65536;
constexpr nanoseconds connect_timeout = 10s;
constexpr nanoseconds reply_timeout = 30s;
constexpr nanoseconds progress_every = 200ms;

struct Free {
    void operator()(rr_client *client) const noexcept { rr_client_free(client); }
};
using Client = std::unique_ptr<rr_client, Free>;

Client connect(const char *channel)
{
    rr_options options = RR_OPTIONS_INIT;
    options.connect_timeout_ns = connect_timeout.count();
    rr_client *client = nullptr;
    rr_error error;
    if (rr_client_new(channel, &options, &client, &error) < 0)
        throw std::runtime_error(error.message);
    return Client(client);
}

volatile std::sig_atomic_t caught = 0;
std::atomic<rr_client *> calling{nullptr};

extern "C" void stop_calling(int signal_number)
{
    caught = signal_number;
    if (rr_client *client = calling.load())
        (void)rr_client_stop(client);
}

// A second signal of the same kind finds the default action again, should the first not be enough.
class StopOnSignals {
public:
    explicit StopOnSignals(rr_client *client)
    {
        calling = client;
        struct sigaction action = {};
        action.sa_handler = stop_calling;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(SIGINT, &action, nullptr);
        sigaction(SIGTERM, &action, nullptr);
    }
    ~StopOnSignals() { calling = nullptr; }
    StopOnSignals(const StopOnSignals &) = delete;
    StopOnSignals &operator=(const StopOnSignals &) = delete;
};

// Unwinds a walk that a signal ended.
struct Stopped {};

class Walk {
public:
    explicit Walk(rr_client *client)
        : client_(client),
          chunk_(std::min(chunk_max, static_cast<std::size_t>(rr_channel_request_max(rr_client_channel(client)))))
    {
        crc32c_init(&table_);
    }

    void directory(const fs::path &path)
    {
        std::error_code error;
        fs::directory_iterator entry(path, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
            if (caught)
                throw Stopped();
            std::error_code unknown;
            const auto type = entry->symlink_status(unknown).type();
            if (unknown)
                skip(entry->path(), unknown);
            else if (type == fs::file_type::directory)
                directory(entry->path());
            else if (type == fs::file_type::regular)
                file(entry->path());
        }
        if (error)
            skip(path, error);
    }

    void show_result()
    {
        std::sort(round_trips_.begin(), round_trips_.end());
        std::cout << "done files=" << files_ << " bytes=" << bytes_ << " requests=" << round_trips_.size()
                  << " resent=" << resent_ << " skipped=" << skipped_ << " mismatches=" << mismatches_
                  << " p50=" << percentile(50) << " p99=" << percentile(99) << " max=" << percentile(100) << std::endl;
    }

    [[nodiscard]] bool all_equal() const { return mismatches_ == 0; }

private:
    void file(const fs::path &path)
    {
        errno = 0;
        std::ifstream stream(path, std::ios::binary);
        if (!stream)
            return skip(path, last_error());

        std::uint64_t offset = 0;
        do {
            errno = 0;
            stream.read(chunk_.data(), static_cast<std::streamsize>(chunk_.size()));
            if (caught)
                throw Stopped();
            if (stream.bad())
                return skip(path, last_error());
            const auto length = static_cast<std::size_t>(stream.gcount());
            if (length == 0 && offset > 0)
                break;

            const std::uint32_t ours = crc32c(&table_, chunk_.data(), length);
            const std::uint32_t theirs = ask(path, length);
            if (theirs != ours) {
                std::cerr << "checksum_client: " << path.native() << ": at byte " << offset << std::hex
                          << std::setfill('0') << ": got " << std::setw(8) << theirs << ", expected " << std::setw(8)
                          << ours << std::dec << '\n';
                mismatches_++;
            }
            offset += length;
            bytes_ += length;
        } while (stream);
        files_++;
    }

    // One chunk there and its checksum back, however many servers die over it.
    std::uint32_t ask(const fs::path &path, std::size_t length)
    {
        for (;;) {
            std::array<unsigned char, CRC32C_SIZE> wire;
            const auto sent = steady_clock::now();
            const std::int64_t got =
                rr_client_req(client_, chunk_.data(), length, wire.data(), wire.size(), reply_timeout.count());
            const auto answered = steady_clock::now();

            if (got == CRC32C_SIZE) {
                round_trips_.push_back(nanoseconds(answered - sent).count());
                show_progress(answered);
                return crc32c_load(wire.data());
            }
            switch (got) {
            case -EOWNERDEAD:
                std::cerr << "checksum_client: " << path.native()
                          << ": the server died with the request; sending it again\n";
                resent_++;
                break;
            case -EINTR:
                break;
            case -ESHUTDOWN:
                throw Stopped();
            default:
                throw std::runtime_error(
                    path.native() + ": " +
                    (got < 0 ? rr_strerror(static_cast<int>(got))
                             : "a reply of " + std::to_string(got) + " bytes is no checksum"));
            }
        }
    }

    void skip(const fs::path &path, const std::error_code &why)
    {
        std::cerr << "checksum_client: " << path.native() << ": skipped: " << why.message() << '\n';
        skipped_++;
    }

    // Streams say that they failed, not why; below them, the system call left its errno.
    static std::error_code last_error() { return {errno ? errno : EIO, std::generic_category()}; }

    void show_progress(steady_clock::time_point now)
    {
        if (now < progress_due_)
            return;
        progress_due_ = now + progress_every;
        std::cout << "progress files=" << files_ << " bytes=" << bytes_ << " requests=" << round_trips_.size()
                  << std::endl;
    }

    // The smallest recorded time that `percent` of all do not exceed; they are sorted.
    [[nodiscard]] std::int64_t percentile(std::size_t percent) const
    {
        return round_trips_.empty() ? 0 : round_trips_[(round_trips_.size() * percent + 99) / 100 - 1];
    }

    rr_client *client_;
    std::vector<char> chunk_;
    crc32c_table table_;
    std::vector<std::int64_t> round_trips_;
    std::uint64_t files_ = 0, bytes_ = 0, resent_ = 0, skipped_ = 0, mismatches_ = 0;
    steady_clock::time_point progress_due_{};
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::cerr << "usage: " << argv[0] << " CHANNEL DIRECTORY\n";
        return 2;
    }
    try {
        const fs::path root = fs::canonical(argv[2]);
        if (!fs::is_directory(root))
            throw std::runtime_error(root.native() + ": not a directory");
        const Client client = connect(argv[1]);
        const StopOnSignals stop(client.get());

        Walk walk(client.get());
        walk.directory(root);
        walk.show_result();
        return walk.all_equal() ? 0 : 1;
    } catch (const Stopped &) {
        return 128 + caught;
    } catch (const std::exception &error) {
        std::cerr << "checksum_client: " << error.what() << '\n';
        return 1;
    }
}
